package records

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// A VU may go on sending to one host, while its connection to another rests.
func TestClosesEachConnectionThatRestedForTooLong(t *testing.T) {
	const idle = 300 * time.Millisecond
	var mutex sync.Mutex
	opened := map[string]int{}
	start := func(name string) *httptest.Server {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				mutex.Lock()
				defer mutex.Unlock()
				opened[name]++
			}
		}
		server.Start()
		t.Cleanup(server.Close)
		return server
	}
	busy, rested := start("busy"), start("rested")
	transport := &http.Transport{} // What k6 gives each VU.
	limitIdle(transport, idle)
	t.Cleanup(transport.CloseIdleConnections)
	call := func(server *httptest.Server) {
		response, err := (&http.Client{Transport: transport}).Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	call(rested)
	for end := time.Now().Add(3 * idle); time.Now().Before(end); time.Sleep(idle / 20) {
		call(busy)
	}
	call(rested)
	mutex.Lock()
	defer mutex.Unlock()
	if opened["rested"] != 2 {
		t.Errorf("opened %d connections to the host that was not needed, want a second one", opened["rested"])
	}
	if opened["busy"] != 1 {
		t.Errorf("opened %d connections to the host that was in use, want one", opened["busy"])
	}
	limitIdle(nil, idle) // Of what is no transport nothing is asked.
}
