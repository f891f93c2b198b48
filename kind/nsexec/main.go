// Command nsexec runs a command in namespaces of another process: what Chaos Mesh's daemon calls to act on a pod.
//
//	nsexec [-m PATH] [-n PATH] [-i PATH] [-p PATH] -- COMMAND [ARG...]
//
// It is util-linux's nsenter with Chaos Mesh's options, and with one thing more: a signal to it reaches the command, which
// in a PID namespace is a child of it. Without that, the stress of a StressChaos would outlive the experiment.
// -l, which the daemon asks for to change files and HTTP traffic of a pod, is refused: those faults are not supported.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// The number of setns; package syscall does not have it.
var setnsNumber = map[string]uintptr{"amd64": 308, "arm64": 268}[runtime.GOARCH]

// Kinds of namespaces by option. Source: linux/sched.h.
var kinds = map[string]uintptr{"-m": syscall.CLONE_NEWNS, "-n": syscall.CLONE_NEWNET, "-i": syscall.CLONE_NEWIPC, "-p": syscall.CLONE_NEWPID}

type namespace struct {
	kind uintptr
	path string
}

func parse(args []string) (namespaces []namespace, command []string, err error) {
	for len(args) > 0 && args[0] != "--" {
		kind, known := kinds[args[0]]
		if !known {
			return nil, nil, fmt.Errorf("%s is not supported: expected -m, -n, -i or -p with a path, then --", args[0])
		}
		if len(args) < 2 {
			return nil, nil, fmt.Errorf("%s: expected a path", args[0])
		}
		namespaces = append(namespaces, namespace{kind, args[1]})
		args = args[2:]
	}
	if len(args) < 2 {
		return nil, nil, errors.New("no command: expected -- COMMAND [ARG...]")
	}
	return namespaces, args[1:], nil
}

func enter(namespaces []namespace) error {
	// All are opened first: behind a mount namespace, the paths may be others.
	files := make([]*os.File, len(namespaces))
	for i, n := range namespaces {
		file, err := os.Open(n.path)
		if err != nil {
			return err
		}
		files[i] = file
	}
	for i, n := range namespaces {
		if n.kind == syscall.CLONE_NEWNS {
			// A thread that shares its root and working directory with others may not change its mounts.
			if err := syscall.Unshare(syscall.CLONE_FS); err != nil {
				return fmt.Errorf("unshare: %w", err)
			}
		}
		if _, _, errno := syscall.RawSyscall(setnsNumber, files[i].Fd(), n.kind, 0); errno != 0 {
			return fmt.Errorf("setns %s: %w", n.path, errno)
		}
		files[i].Close()
	}
	return nil
}

// inChild is how nsexec calls itself in a new PID namespace, which only a child can be in.
const inChild = "--in-child"

func run(args []string) (int, error) {
	// Namespaces are a thread's; the command is started from this one.
	runtime.LockOSThread()
	if len(args) > 1 && args[0] == inChild {
		// Set here and not by os/exec: that would find its parent gone, since the parent is outside of the namespace.
		if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0); errno != 0 {
			return 1, errno
		}
		return 127, execute(args[1:])
	}
	namespaces, command, err := parse(args)
	if err != nil {
		return 1, err
	}
	// From here on: a signal that comes before the child is there is passed on to it.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGCONT, syscall.SIGUSR1)
	if err := enter(namespaces); err != nil {
		return 1, err
	}
	for _, n := range namespaces {
		if n.kind == syscall.CLONE_NEWPID {
			return runChild(command, signals)
		}
	}
	return 127, execute(command)
}

// execute puts the command in the place of this process.
func execute(command []string) error {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	return syscall.Exec(path, command, os.Environ())
}

func runChild(command []string, signals <-chan os.Signal) (int, error) {
	child := exec.Command("/proc/self/exe", append([]string{inChild}, command...)...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := child.Start(); err != nil {
		return 127, err
	}
	go func() {
		for s := range signals {
			_ = child.Process.Signal(s)
		}
	}()
	err := child.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "nsexec:", err)
	}
	os.Exit(code)
}
