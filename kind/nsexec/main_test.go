package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "nsexec")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatal(string(out))
	}
	return binary
}

func TestRefusesWhatItCannotDo(t *testing.T) {
	for _, args := range [][]string{{}, {"--"}, {"-n"}, {"-n", "x"}, {"-l", "--", "true"}, {"-q", "x", "--", "true"}} {
		if _, _, err := parse(args); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	namespaces, command, err := parse([]string{"-n", "/a", "-p", "/b", "--", "tc", "-s", "qdisc"})
	if err != nil || len(namespaces) != 2 || namespaces[1].path != "/b" || strings.Join(command, " ") != "tc -s qdisc" {
		t.Errorf("got %v %v %v", namespaces, command, err)
	}
}

// newNamespaces starts a process in a network, PID and mount namespace of its own, and ends it with the test.
func newNamespaces(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	other := exec.Command("sleep", "60")
	other.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	return filepath.Join("/proc", strconv.Itoa(other.Process.Pid), "ns")
}

func TestRunsTheCommandInTheNamespaces(t *testing.T) {
	ns := newNamespaces(t)
	binary := build(t)
	out, err := exec.Command(binary, "-n", ns+"/net", "-m", ns+"/mnt", "--", "readlink", "/proc/self/ns/net", "/proc/self/ns/mnt").Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, kind := range []string{"net", "mnt"} {
		link, _ := os.Readlink(ns + "/" + kind)
		want = append(want, link)
	}
	if got := strings.Fields(string(out)); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("got %v, want %v", got, want)
	}
	err = exec.Command(binary, "-p", ns+"/pid", "--", "sh", "-c", "exit 7").Run()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 7 {
		t.Fatalf("got %v", err)
	}
}

func TestASignalEndsTheCommandInItsPidNamespace(t *testing.T) {
	ns := newNamespaces(t)
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		marker := filepath.Join(t.TempDir(), "pid")
		command := exec.Command(build(t), "-p", ns+"/pid", "--", "sh", "-c", "touch "+marker+"; exec sleep 987")
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		for i := 0; ; i++ {
			if _, err := os.Stat(marker); err == nil {
				break
			} else if i > 500 {
				t.Fatal("did not start")
			}
			time.Sleep(10 * time.Millisecond)
		}
		_ = command.Process.Signal(s)
		_ = command.Wait()
		time.Sleep(100 * time.Millisecond)
		if out, _ := exec.Command("pgrep", "-f", "^sleep 987$").Output(); len(out) > 0 {
			t.Fatalf("%v left %s", s, out)
		}
	}
}
