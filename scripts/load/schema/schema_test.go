package schema

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(file, []byte(`{"type":"object","required":["n"],"properties":{
		"n":{"type":"integer"}, "at":{"type":"string","format":"date-time"}, "kind":{"enum":["a","b"]},
		"list":{"type":"array","items":{"type":"boolean"}}, "maybe":{"anyOf":[{"type":"null"},{"type":"number"}]}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		`{"n":1,"at":"2026-01-02T03:04:05Z","kind":"a","list":[true],"maybe":null}`: nil,
		`{}`:                        {"$.n: missing"},
		`{"n":1.5}`:                 {"$.n: 1.5 is no integer"},
		`{"n":1,"x":2}`:             {"$.x: not in the schema"},
		`{"n":1,"kind":"c"}`:        {"$.kind: c is none of [a b]"},
		`{"n":1,"list":[true,"t"]}`: {"$.list[1]: t is no boolean"},
		`{"n":1,"maybe":"x"}`:       {"$.maybe: fits none"},
		`{"n":1} {"n":1}`:           {"more than one value"},
		`{"n":1`:                    {"unexpected EOF"},
	} {
		if got := Faults(file, []byte(text)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := Faults(file, []byte(`{"n":1,"at":"yesterday"}`)); len(got) != 1 {
		t.Errorf("a time that is none: %q", got)
	}
}
