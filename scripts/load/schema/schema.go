// Package schema holds JSON to the schemas in docs/schemas, for tests.
//
//	for _, fault := range schema.Faults("../docs/schemas/status.v1.json", text) { … }
//
// It knows what of JSON Schema those files use, and no more; a key that a schema doesn't name is a fault here, so that
// nothing is written that isn't documented.
package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"time"
)

// Faults are where a text differs from the schema in a file. A key that the schema doesn't name is a fault here, and so
// is a second value.
func Faults(file string, text []byte) []string {
	data, err := os.ReadFile(file)
	if err != nil {
		return []string{err.Error()}
	}
	var schema map[string]any
	if err := json.Unmarshal(data, &schema); err != nil {
		return []string{file + ": " + err.Error()}
	}
	var value any
	in := json.NewDecoder(bytes.NewReader(text))
	if err := in.Decode(&value); err != nil {
		return []string{err.Error()}
	}
	all := faults(schema, value, "$")
	if in.More() {
		all = append(all, "more than one value")
	}
	return all
}

// faults are where a value differs from a schema.
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
