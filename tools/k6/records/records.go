// Package records is what makes k6 leave one short line a request: a module for the scripts, with which they tell when a
// request began and how it ended, and an output that writes that, and nothing else, to a file.
//
// k6's JSON output writes the twelve samples that k6 makes of a request, 1.7 kB, of which Faultline would read one, and
// that one must be made by way of the VU's metadata. Both take so much of k6's time that it reaches a tenth less load than
// with a bare script; so it nearly does as well as one (bench/k6.ts).
//
// A line, its fields parted by tabs:
//
//	SCENARIO  SENT_US  DONE_US  N  STATUS  ERROR  OUTCOME  COLD  BEGUN_US  .
//
// SCENARIO is the k6 scenario; SENT_US and DONE_US are microseconds since the epoch; N counts the iterations of the
// scenario from 0; STATUS is HTTP's, 0 without an answer; ERROR is then k6's code for why there was none, and empty where
// it has none or there was an answer; OUTCOME ok, failed or timeout; COLD true or false; BEGUN_US,
// on the first line of a scenario only, the instant at which k6 began it. Of an iteration that k6 dropped there is
// SCENARIO, SENT_US (when it was dropped) and the OUTCOME unsent. The last line has nothing but the OUTCOME end; it is
// there only when every line before it was written. The point stands at the end because a line without it
// was cut off: k6 was killed, or the disk was full.
package records

import (
	"strconv"
	"time"

	"go.k6.io/k6/lib"
	"go.k6.io/k6/metrics"
)

// Request is one request on its way from the script to the output, through the channel that k6 has for samples.
type Request struct {
	scenario   *lib.ScenarioState
	n          uint64
	sent, done time.Time
	status     int64
	errorCode  int64
	outcome    string
	cold       bool
}

// GetSamples has nothing for k6's other outputs.
func (*Request) GetSamples() []metrics.Sample { return nil }

func (r *Request) appendTo(line []byte) []byte {
	sentUs := r.sent.UnixMicro()
	line = append(line, r.scenario.Name...)
	line = strconv.AppendInt(append(line, '\t'), sentUs, 10)
	// By the monotonic clock: a wall clock that is set meanwhile does not change how long a request took.
	line = strconv.AppendInt(append(line, '\t'), sentUs+r.done.Sub(r.sent).Microseconds(), 10)
	line = strconv.AppendUint(append(line, '\t'), r.n, 10)
	line = strconv.AppendInt(append(line, '\t'), r.status, 10)
	line = append(line, '\t')
	if r.errorCode != 0 {
		line = strconv.AppendInt(line, r.errorCode, 10)
	}
	line = append(append(line, '\t'), r.outcome...)
	line = strconv.AppendBool(append(line, '\t'), r.cold)
	line = append(line, '\t')
	if r.n == 0 {
		line = strconv.AppendInt(line, r.scenario.StartTime.UnixMicro(), 10)
	}
	return append(line, "\t.\n"...)
}

const lastLine = "\t\t\t\t\t\tend\t\t\t.\n"

func appendDropped(line []byte, sample metrics.Sample) []byte {
	scenario, _ := sample.Tags.Get("scenario")
	line = append(line, scenario...)
	line = strconv.AppendInt(append(line, '\t'), sample.Time.UnixMicro(), 10)
	return append(line, "\t\t\t\t\tunsent\t\t\t.\n"...)
}
