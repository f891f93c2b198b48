package records

import (
	"net/http"
	"testing"
	"time"
)

type transport struct {
	http.RoundTripper
	closed int
}

func (t *transport) CloseIdleConnections() { t.closed++ }

func TestClosesConnectionsThatRestedForTooLong(t *testing.T) {
	own := &transport{}
	closeIdle(own, idleTimeout)
	if own.closed != 0 {
		t.Error("closed one that could still be used")
	}
	closeIdle(own, idleTimeout+1)
	if own.closed != 1 {
		t.Error("kept one that rested for too long")
	}
	var _ interface{ CloseIdleConnections() } = &http.Transport{} // What k6 gives each VU.
	closeIdle(struct{ http.RoundTripper }{}, time.Hour)
}
