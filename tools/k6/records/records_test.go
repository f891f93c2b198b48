package records

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.k6.io/k6/lib"
	"go.k6.io/k6/lib/fsext"
	"go.k6.io/k6/metrics"
	"go.k6.io/k6/output"
)

func start(t *testing.T, file string) output.Output {
	t.Helper()
	logger := logrus.New()
	logger.SetOutput(&strings.Builder{})
	out, err := NewOutput(output.Params{ConfigArgument: file, FS: fsext.NewOsFs(), Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Start(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWritesOneLineForEachRequestAndNothingElse(t *testing.T) {
	registry := metrics.NewRegistry()
	builtin := metrics.RegisterBuiltinMetrics(registry)
	sample := func(metric *metrics.Metric) metrics.Sample {
		tags := registry.RootTagSet().With("scenario", "web__0")
		return metrics.Sample{
			TimeSeries: metrics.TimeSeries{Metric: metric, Tags: tags},
			Time:       time.UnixMicro(1_800_000_002_000_000), Value: 1,
		}
	}
	sent := time.UnixMicro(1_800_000_000_123_456).Add(400)
	scenario := &lib.ScenarioState{Name: "web__0", StartTime: time.UnixMicro(1_800_000_000_000_007)}
	file := filepath.Join(t.TempDir(), "records")
	out := start(t, file)
	out.AddMetricSamples([]metrics.SampleContainer{
		metrics.ConnectedSamples{Samples: []metrics.Sample{sample(builtin.HTTPReqDuration)}},
		metrics.Samples{sample(builtin.IterationDuration), sample(builtin.Iterations)},
		&Request{scenario: scenario, n: 0, sent: sent, done: sent.Add(3 * time.Millisecond), status: 200, outcome: "ok", cold: true},
		&Request{scenario: scenario, n: 1, sent: sent, done: sent.Add(time.Second), errorCode: 1050, outcome: "timeout"},
	})
	out.AddMetricSamples([]metrics.SampleContainer{sample(builtin.HTTPReqs)})
	out.AddMetricSamples([]metrics.SampleContainer{sample(builtin.DroppedIterations)})
	if err := out.Stop(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "web__0\t1800000000123456\t1800000000126456\t0\t200\t\tok\ttrue\t1800000000000007\t.\n" +
		"web__0\t1800000000123456\t1800000001123456\t1\t0\t1050\ttimeout\tfalse\t\t.\n" +
		"web__0\t1800000002000000\t\t\t\t\tunsent\t\t\t.\n" +
		"\t\t\t\t\t\tend\t\t\t.\n"
	if string(text) != want {
		t.Fatalf("got %q, want %q", text, want)
	}
}

func TestAFullDiskIsAnErrorAtTheEnd(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("needs /dev/full")
	}
	out := start(t, "/dev/full")
	out.AddMetricSamples([]metrics.SampleContainer{&Request{scenario: &lib.ScenarioState{}, outcome: "ok"}})
	if err := out.Stop(); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Fatalf("got %v", err)
	}
}

func TestWithoutAFileItIsRefused(t *testing.T) {
	if _, err := NewOutput(output.Params{}); err == nil || !strings.Contains(err.Error(), "--out records5=FILE") {
		t.Fatalf("got %v", err)
	}
}
