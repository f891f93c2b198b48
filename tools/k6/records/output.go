package records

import (
	"errors"
	"io"

	"go.k6.io/k6/metrics"
	"go.k6.io/k6/output"
)

// Name is what --out calls the output. Its number is that of the line's format: who changes the one changes the other,
// so that a k6 that was built before is not taken for this one (tools/pins.ts asks `k6 version`).
const Name = "records1"

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

// Stop closes the file. It fails when a line could not be written.
func (o *Output) Stop() error {
	return errors.Join(o.failed, o.file.Close())
}
