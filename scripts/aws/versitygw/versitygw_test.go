package versitygw

import (
	"os"
	"strings"
	"testing"
)

func TestTheVersionIsThePinnedOne(t *testing.T) {
	text, err := os.ReadFile("../../tools/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), module+" "+Version) {
		t.Errorf("scripts/tools/go.mod does not pin %s %s", module, Version)
	}
	if !strings.Contains(string(text), "\t"+module+"/cmd/versitygw\n") {
		t.Error("scripts/tools/go.mod does not name it as a tool")
	}
}
