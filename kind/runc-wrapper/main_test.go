package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const process = `{
  "args": ["sh"],
  "capabilities": {"bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE"], "ambient": ["CAP_SYS_RESOURCE"]},
  "oomScoreAdj": -1001,
  "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1048576, "soft": 1048576}]
}`

const weakened = `{"args": ["sh"], "capabilities": {"bounding": ["CAP_CHOWN"], "ambient": []}}`

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func expect(t *testing.T, file, want string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var have, wanted any
	if err := json.Unmarshal(text, &have); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(have, wanted) {
		t.Errorf("have %s\nwant %s", text, want)
	}
}

func TestCreateTakesThePrivilegesOutOfTheBundle(t *testing.T) {
	file := write(t, "config.json", `{"process": `+process+`, "linux": {"resources": {"memory": {"limit": 9223372036854771712}}}}`)
	for _, args := range [][]string{
		{"--root", "/run", "create", "--bundle", filepath.Dir(file), "id"},
		{"create", "-b", filepath.Dir(file), "id"},
		{"run", "--bundle=" + filepath.Dir(file), "id"},
	} {
		if err := edit(args); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, file, `{"process": `+weakened+`, "linux": {"resources": {"memory": {"limit": 9223372036854771712}}}}`)
	if text, _ := os.ReadFile(file); !json.Valid(text) || !strings.Contains(string(text), "9223372036854771712") {
		t.Errorf("a large number lost digits: %s", text)
	}
}

func TestExecTakesThemOutOfTheProcess(t *testing.T) {
	file := write(t, "process.json", process)
	if err := edit([]string{"exec", "--process", file, "--detach", "id"}); err != nil {
		t.Fatal(err)
	}
	expect(t, file, weakened)
}

func TestAHigherOomScoreIsKept(t *testing.T) {
	file := write(t, "process.json", `{"oomScoreAdj": 1000}`)
	if err := edit([]string{"exec", "-p", file, "id"}); err != nil {
		t.Fatal(err)
	}
	expect(t, file, `{"oomScoreAdj": 1000}`)
}

func TestOtherCommandsPass(t *testing.T) {
	for _, args := range [][]string{{"state", "id"}, {"delete", "--force", "id"}, {"--version"}, {"exec", "id", "sh"}, {}} {
		if err := edit(args); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestABundleThatIsNotThereIsSaid(t *testing.T) {
	if err := edit([]string{"create", "--bundle", t.TempDir(), "id"}); err == nil {
		t.Error("expected an error")
	}
}
