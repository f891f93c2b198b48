package records

import (
	"errors"
	"io"

	"go.k6.io/k6/metrics"
	"go.k6.io/k6/output"
)

// Name is what --out calls the output. Who changes this module raises its number, so that a k6 that was built before is
// not taken for this one (tools/pins.ts asks `k6 version`, scripts/go.test.ts sees to the number).
const Name = "records5"

func init() {
	output.RegisterExtension(Name, NewOutput)
}

// Output writes the lines to a file each time k6 hands over what happened, every 50 ms.
type Output struct {
	params output.Params
	file   io.WriteCloser
	lines  []byte
	failed error
}

// NewOutput makes the output; its argument is the file, which is made or emptied when the test starts.
func NewOutput(params output.Params) (output.Output, error) {
	if params.ConfigArgument == "" {
		return nil, errors.New("expected a file: --out " + Name + "=FILE")
	}
	return &Output{params: params}, nil
}

// Description is what k6 shows of it.
func (o *Output) Description() string { return Name + " (" + o.params.ConfigArgument + ")" }

// Start opens the file.
func (o *Output) Start() (err error) {
	o.file, err = o.params.FS.Create(o.params.ConfigArgument)
	return err
}

// AddMetricSamples writes the lines of the requests among the containers. k6 never calls it twice at once. Writing to a
// file is quick enough to be done here; so a killed k6 keeps back no more than its last 50 ms.
func (o *Output) AddMetricSamples(containers []metrics.SampleContainer) {
	o.lines = o.lines[:0]
	for _, container := range containers {
		switch c := container.(type) {
		case *Request:
			o.lines = c.appendTo(o.lines)
		case metrics.Sample:
			if c.Metric.Name == metrics.DroppedIterationsName {
				o.lines = appendDropped(o.lines, c)
			}
		}
	}
	if len(o.lines) == 0 {
		return
	}
	if _, err := o.file.Write(o.lines); err != nil && o.failed == nil {
		o.failed = err
		o.params.Logger.WithError(err).Error("The records of the requests cannot be written")
	}
}

// Stop writes the last line, which says that all the others were written, and closes the file. k6 only logs what it returns
// and ends well all the same: it is the missing last line from which engine/load/start.ts knows that records were lost.
func (o *Output) Stop() error {
	if o.failed == nil {
		_, o.failed = io.WriteString(o.file, lastLine)
	}
	return errors.Join(o.failed, o.file.Close())
}
