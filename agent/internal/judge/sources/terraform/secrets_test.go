package terraform

import (
	"slices"
	"testing"
)

// What a plan calls sensitive is a secret, whatever else the plan lacks; a policy is none.
func TestSensitiveTexts(t *testing.T) {
	for name, row := range map[string]struct {
		plan string
		want []string
	}{
		"a variable": {`{"variables": {"a": {"value": "s3cret-a"}, "b": {"value": "plain"}}, "planned_values": {"root_module": {}},
			"configuration": {"root_module": {"variables": {"a": {"sensitive": true}, "b": {}}}}}`, []string{"s3cret-a"}},
		"a list and a number": {`{"variables": {"a": {"value": ["s3cret-a", 12345678]}}, "planned_values": {"root_module": {}},
			"configuration": {"root_module": {"variables": {"a": {"sensitive": true}}}}}`, []string{"12345678", "s3cret-a"}},
		"an attribute": {`{"planned_values": {"root_module": {"resources": [{"address": "x.y", "values": {"password": "s3cret-b", "name": "n"}}]}},
			"resource_changes": [{"address": "x.y", "change": {"after": {"password": "s3cret-b", "name": "n"}, "after_sensitive": {"password": true}}}]}`, []string{"s3cret-b"}},
		"a policy as a whole": {`{"planned_values": {"root_module": {"resources": [{"address": "x.y", "values": {"policy": "{\"Statement\": []}"}}]}},
			"resource_changes": [{"address": "x.y", "change": {"after": {"policy": "{\"Statement\": []}"}, "after_sensitive": {"policy": true}}}]}`, nil},
		"an output":            {`{"planned_values": {"outputs": {"o": {"sensitive": true, "value": "s3cret-c"}}, "root_module": {}}}`, []string{"s3cret-c"}},
		"nothing but changes":  {`{"resource_changes": [{"address": "x.y"}]}`, nil},
		"an empty prior state": {`{"planned_values": {}, "prior_state": {"format_version": "1.0"}}`, nil},
		"a null output change": {`{"planned_values": {}, "output_changes": {"o": null}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Read("plan.json", []byte(`{"format_version": "1.2", `+row.plan[1:]))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(p.Secrets, row.want) {
				t.Errorf("%q, want %q", p.Secrets, row.want)
			}
		})
	}
}
