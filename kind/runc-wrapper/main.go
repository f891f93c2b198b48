// runc-wrapper stands before runc where the machine lacks CAP_SYS_RESOURCE (seen in /proc/self/status: bit 24 of CapBnd).
//
// Without that capability runc refuses a privileged container ("unable to apply caps"), a lower oom_score_adj and higher
// resource limits. The wrapper takes these three out of what runc is asked to do, and then becomes runc.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const missing = "CAP_SYS_RESOURCE"

func main() {
	if err := edit(os.Args[1:]); err != nil {
		fail(err)
	}
	for _, runc := range []string{"/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc"} {
		if _, err := os.Stat(runc); err == nil {
			fail(syscall.Exec(runc, append([]string{"runc"}, os.Args[1:]...), os.Environ()))
		}
	}
	fail(fmt.Errorf("no runc in /usr/sbin, /usr/bin or /usr/local/sbin"))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "runc-wrapper:", err)
	os.Exit(1)
}

// edit changes the file that tells runc what to start: the bundle's config.json, or the process file of an exec.
func edit(args []string) error {
	for i, arg := range args {
		switch arg {
		case "create", "run":
			bundle := option(args[i+1:], "bundle", "b")
			if bundle == "" {
				bundle = "."
			}
			return rewrite(filepath.Join(bundle, "config.json"), func(spec map[string]any) map[string]any {
				process, _ := spec["process"].(map[string]any)
				return process
			})
		case "exec":
			if file := option(args[i+1:], "process", "p"); file != "" {
				return rewrite(file, func(process map[string]any) map[string]any { return process })
			}
			return nil
		}
	}
	return nil
}

// option is the value of --long VALUE, --long=VALUE, -s VALUE or -s=VALUE.
func option(args []string, long, short string) string {
	for i, arg := range args {
		name, value, hasValue := strings.Cut(arg, "=")
		if name != "--"+long && name != "-"+long && name != "-"+short {
			continue
		}
		if hasValue {
			return value
		}
		if i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

func rewrite(file string, processOf func(map[string]any) map[string]any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var document map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	// Or large numbers (limits, device ids) would lose digits.
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if process := processOf(document); process != nil {
		weaken(process, ownOomScore())
	}
	text, err = json.Marshal(document)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// weaken asks for no more than a process without the capability may have.
func weaken(process map[string]any, oomScore int64) {
	if sets, ok := process["capabilities"].(map[string]any); ok {
		for name, set := range sets {
			list, _ := set.([]any)
			kept := []any{}
			for _, capability := range list {
				if capability != missing {
					kept = append(kept, capability)
				}
			}
			sets[name] = kept
		}
	}
	delete(process, "rlimits")
	if score, ok := process["oomScoreAdj"].(json.Number); ok {
		if value, err := score.Int64(); err == nil && value < oomScore {
			delete(process, "oomScoreAdj")
		}
	}
}

func ownOomScore() int64 {
	text, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return 0
	}
	value, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return value
}
