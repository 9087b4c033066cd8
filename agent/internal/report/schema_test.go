package report

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"buzon/agent/internal/judge/evidence"
	"buzon/agent/internal/send/courier"
	"buzon/agent/internal/send/receipt"
)

// written are the types that are written as JSON, by the name of their schema.
var written = map[string]struct {
	id, title string
	of        any
}{
	"status":  {"buzon/status/v1", "What agent status --format json writes", statusJSON{}},
	"check":   {"buzon/check/v1", "What agent check --format json writes", checkJSON{}},
	"upload":  {"buzon/upload/v1", "What agent upload --format json writes", sentJSON{}},
	"plan":    {"buzon/plan/v1", "What agent upload --dry-run --format json writes", planJSON{}},
	"receipt": {"buzon/receipt/v1", "A line of agent receipts export", receipt.Receipt{}},
	"verify":  {"buzon/verify/v1", "What agent receipts verify --format json writes", receiptsJSON{}},

	"evidence":     {"buzon/evidence/v1", "manifest.json of what agent audit-policy --evidence writes", evidence.Manifest{}},
	"verification": {"buzon/verification/v1", "What agent audit-policy --verify --format json writes", verificationJSON{}},
}

// closed are the types with a closed set of values.
var closed = map[reflect.Type]func() []any{
	reflect.TypeFor[courier.State](): func() (all []any) {
		for _, s := range courier.States {
			all = append(all, s)
		}
		return all
	},
	reflect.TypeFor[courier.ProblemKind](): func() (all []any) {
		for _, k := range courier.ProblemKinds {
			all = append(all, k)
		}
		return all
	},
}

// Keys may be added to what is written, so the schemas don't close their objects; the test of cli, which
// holds what the commands write to them, does.

// TestTheSchemasAreThoseOfWhatIsWritten holds docs/schemas to the types. BUZON_WRITE_DOCS=1 go test
// ./agent/internal/report -run TestTheSchemas writes them again.
func TestTheSchemasAreThoseOfWhatIsWritten(t *testing.T) {
	for name, w := range written {
		schema := schemaOf(reflect.TypeOf(w.of))
		schema["$schema"], schema["$id"], schema["title"] = "https://json-schema.org/draft/2020-12/schema", w.id, w.title
		schema["properties"].(map[string]any)["schema"] = map[string]any{"const": w.id}
		var text bytes.Buffer
		if err := indented(&text, schema); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("..", "..", "..", "docs", "schemas", name+".v1.json")
		if os.Getenv("BUZON_WRITE_DOCS") != "" {
			if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if was, err := os.ReadFile(path); err != nil || !bytes.Equal(was, text.Bytes()) {
			t.Errorf("%s is not the schema of what is written (%v).\nBUZON_WRITE_DOCS=1 go test ./agent/internal/report -run TestTheSchemas", path, err)
		}
	}
}

// schemaOf is the JSON Schema of a type, as encoding/json writes it.
func schemaOf(t reflect.Type) map[string]any {
	if values, ok := closed[t]; ok {
		return map[string]any{"enum": values()}
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case t.Implements(reflect.TypeFor[json.Marshaler]()), reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]()):
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint64:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem())}
	case reflect.Pointer:
		return map[string]any{"anyOf": []any{schemaOf(t.Elem()), map[string]any{"type": "null"}}}
	case reflect.Struct:
		properties, required := map[string]any{}, map[string]bool{}
		fields(t, properties, required)
		maps.DeleteFunc(required, func(_ string, is bool) bool { return !is })
		return map[string]any{"type": "object", "properties": properties, "required": slices.Sorted(maps.Keys(required))}
	default:
		panic("no schema for " + t.String())
	}
}

// fields adds the fields of a struct; those of an embedded one first, so that its own go before them.
func fields(t reflect.Type, properties map[string]any, required map[string]bool) {
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous {
			fields(f.Type, properties, required)
		}
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "" || name == "-" {
			continue
		}
		field := f.Type
		omitted := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		if omitted && field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		properties[name] = schemaOf(field)
		if name == "generated" {
			properties[name] = schemaOf(reflect.TypeFor[time.Time]())
		}
		required[name] = !omitted
	}
}
