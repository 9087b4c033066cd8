package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"buzon/scripts/load/s3server"
)

// TestWhatIsWrittenIsAsItsSchemaSays holds the JSON of every command to docs/schemas.
func TestWhatIsWrittenIsAsItsSchemaSays(t *testing.T) {
	h := newHost(t, s3server.Options{Allow: func(who s3server.Identity, action, bucket, key string) bool {
		return s3server.WriteOnly(inbox, prefix)(who, action, bucket, key) && !strings.HasSuffix(key, "denied.txt")
	}})
	h.settings("tries: 1\noutboxes:\n  - path: " + h.file("out") + "\n")
	dir := h.files("out", "a.txt", "sub/b.txt", "denied.txt")
	if err := os.Symlink("a.txt", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	config := h.file("agent.yaml")
	ask := func(name string, code int, args ...string) string {
		t.Helper()
		got, out, errs := h.run("en", append(args, "--config", config)...)
		if got != code {
			t.Errorf("%v ends with %d, want %d\n%s%s", args, got, code, out, errs)
		}
		for line := range strings.Lines(out) {
			if name == "receipt" {
				valid(t, name, line)
			}
		}
		if name != "receipt" {
			valid(t, name, out)
		}
		return out
	}
	ask("plan", 0, "upload", "--dry-run", "--format", "json", dir)
	ask("upload", 2, "upload", "--format", "json", h.file("nowhere"))
	ask("upload", 2, "upload", "--format", "json", "--limit", "fast", dir)
	ask("check", 0, "check", "--format", "json")
	ask("upload", 1, "upload", "--format", "json", dir)
	ask("plan", 0, "upload", "--dry-run", "--format", "json", dir)
	ask("status", 1, "status", "--format", "json")
	if out := ask("receipt", 0, "receipts", "export"); strings.Count(out, "\n") != 2 {
		t.Errorf("receipts:\n%s", out)
	}
	h.server.SetIdentities()
	h.files("out", "c.txt")
	ask("check", 3, "check", "--format", "json")
	if out := ask("upload", 3, "upload", "--format", "json", dir); !strings.Contains(out, `"ended": "gate"`) {
		t.Errorf("an upload before a gate that is shut says\n%s", out)
	}
	h.server.SetIdentities(s3server.Uploader)
	h.startAsIs()
	h.until("the agent runs", func() bool { _, s := h.status(); return s.Running && s.Gate.Open })
	ask("status", 1, "status", "--format", "json", "--all")
}

// valid holds a text to a schema.
func valid(t *testing.T, name, text string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(docs, "schemas", name+".v1.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	var value any
	in := json.NewDecoder(bytes.NewReader([]byte(text)))
	if err := in.Decode(&value); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	if in.More() {
		t.Errorf("%s: more than one value\n%s", name, text)
	}
	for _, fault := range faults(schema, value, name) {
		t.Errorf("%s\n%s", fault, text)
	}
}

// faults are where a value differs from a schema, with what of JSON Schema the schemas use. A key that
// the schema doesn't name is a fault here.
func faults(schema map[string]any, value any, at string) []string {
	if choices, ok := schema["anyOf"].([]any); ok {
		for _, one := range choices {
			if len(faults(one.(map[string]any), value, at)) == 0 {
				return nil
			}
		}
		return []string{at + ": fits none"}
	}
	if want, ok := schema["const"]; ok && want != value {
		return []string{fmt.Sprintf("%s: %v, want %v", at, value, want)}
	}
	if list, ok := schema["enum"].([]any); ok && !slices.Contains(list, value) {
		return []string{fmt.Sprintf("%s: %v is none of %v", at, value, list)}
	}
	kind := schema["type"]
	if kind == nil {
		return nil
	}
	switch v := value.(type) {
	case map[string]any:
		if kind != "object" {
			break
		}
		return objectFaults(schema, v, at)
	case []any:
		if kind != "array" {
			break
		}
		var all []string
		for i, item := range v {
			all = append(all, faults(schema["items"].(map[string]any), item, fmt.Sprintf("%s[%d]", at, i))...)
		}
		return all
	case string:
		if schema["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
				return []string{at + ": " + err.Error()}
			}
		}
		if kind == "string" {
			return nil
		}
	case float64:
		if kind == "number" || kind == "integer" && v == math.Trunc(v) {
			return nil
		}
	case bool:
		if kind == "boolean" {
			return nil
		}
	case nil:
		if kind == "null" {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: %v is no %v", at, value, kind)}
}

func objectFaults(schema, value map[string]any, at string) []string {
	var all []string
	properties, _ := schema["properties"].(map[string]any)
	rest, open := schema["additionalProperties"].(map[string]any)
	for key, v := range value {
		switch property, known := properties[key].(map[string]any); {
		case known:
			all = append(all, faults(property, v, at+"."+key)...)
		case open:
			all = append(all, faults(rest, v, at+"."+key)...)
		default:
			all = append(all, at+"."+key+": not in the schema")
		}
	}
	required, _ := schema["required"].([]any)
	for _, key := range required {
		if _, there := value[key.(string)]; !there {
			all = append(all, fmt.Sprintf("%s.%v: missing", at, key))
		}
	}
	return all
}
