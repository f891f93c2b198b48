package records

import (
	"net/http"
	"time"

	"github.com/grafana/sobek"
	"go.k6.io/k6/js/modules"
	"go.k6.io/k6/lib"
	"go.k6.io/k6/metrics"
)

// ModuleName is what scripts import. scenarios/k6/faultline.d.ts has its types.
const ModuleName = "k6/x/faultline"

func init() {
	modules.Register(ModuleName, rootModule{})
}

type rootModule struct{}

// NewModuleInstance makes the module of one VU.
func (rootModule) NewModuleInstance(vu modules.VU) modules.Instance {
	return &moduleOfVU{vu: vu}
}

// moduleOfVU is used by one VU, which has one request at a time.
type moduleOfVU struct {
	vu        modules.VU
	n         uint64
	sent      time.Time
	transport http.RoundTripper
}

// Exports has the functions in the form that the interpreter calls without reflection.
func (m *moduleOfVU) Exports() modules.Exports {
	return modules.Exports{Named: map[string]any{"begin": m.begin, "end": m.end}}
}

// idleTimeout is after how long Go's own default client closes a connection that it did not need. k6 never does: a VU that
// rested for minutes would find out only then that the other side is gone, and count it against a platform that is whole again.
// Each connection has its own time: a VU that sends to another host meanwhile, for another scenario, does not rest, but they do.
const idleTimeout = 90 * time.Second

// limitIdle must be called before the transport has sent anything.
func limitIdle(roundTripper http.RoundTripper, after time.Duration) {
	if transport, ok := roundTripper.(*http.Transport); ok {
		transport.IdleConnTimeout = after
	}
}

// begin(): number. The request of this iteration begins now; its number within the k6 scenario.
func (m *moduleOfVU) begin(sobek.FunctionCall) sobek.Value {
	state := m.vu.State()
	m.n = state.GetScenarioGlobalVUIter()
	if m.transport != state.Transport {
		m.transport = state.Transport
		limitIdle(m.transport, idleTimeout)
	}
	m.sent = time.Now()
	return m.vu.Runtime().ToValue(int64(m.n))
}

// end(status: number, outcome: string, cold: boolean, errorCode?: number). It ended now. One that k6 cut off leaves no record.
func (m *moduleOfVU) end(call sobek.FunctionCall) sobek.Value {
	ctx := m.vu.Context()
	request := &Request{
		scenario:  lib.GetScenarioState(ctx),
		n:         m.n,
		sent:      m.sent,
		done:      time.Now(),
		status:    call.Argument(0).ToInteger(),
		outcome:   call.Argument(1).String(),
		cold:      call.Argument(2).ToBoolean(),
		errorCode: call.Argument(3).ToInteger(),
	}
	metrics.PushIfNotDone(ctx, m.vu.State().Samples, request)
	return sobek.Undefined()
}
