package terraform

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/hashicorp/terraform-json/sanitize"
)

// sensitive are the texts that a plan calls sensitive: those that its library would
// replace. A policy that is sensitive as a whole, because something in it is, is none of
// them, since it has to be judged; the variable that made it so is.
func sensitive(plan *tfjson.Plan) ([]string, error) {
	// The library counts on parts that a plan may lack, and looks at what was there before,
	// of which nothing is judged.
	whole := *plan
	whole.PriorState = nil
	whole.ResourceChanges = slices.DeleteFunc(slices.Clone(whole.ResourceChanges), func(c *tfjson.ResourceChange) bool { return c == nil || c.Change == nil })
	whole.OutputChanges = maps.Clone(whole.OutputChanges)
	maps.DeleteFunc(whole.OutputChanges, func(_ string, c *tfjson.Change) bool { return c == nil })
	config, values := tfjson.Config{}, tfjson.StateValues{}
	if whole.Config != nil {
		config = *whole.Config
	}
	if config.RootModule == nil {
		config.RootModule = &tfjson.ConfigModule{}
	}
	if whole.PlannedValues != nil {
		values = *whole.PlannedValues
	}
	if values.RootModule == nil {
		values.RootModule = &tfjson.StateModule{}
	}
	whole.Config, whole.PlannedValues = &config, &values
	clean, err := sanitize.SanitizePlan(&whole)
	if err != nil {
		return nil, err
	}
	before, err := generic(&whole)
	if err != nil {
		return nil, err
	}
	after, err := generic(clean)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	differing(before, after, found)
	return sorted(found), nil
}

func generic(plan *tfjson.Plan) (any, error) {
	text, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	var out any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err = d.Decode(&out)
	return out, err
}

// differing collects the texts of a that b has no more.
func differing(a, b any, found map[string]bool) {
	switch x := a.(type) {
	case string:
		if s, same := b.(string); (!same || s != x) && !strings.Contains(x, `"Statement"`) {
			found[x] = true
		}
	case json.Number:
		if n, same := b.(json.Number); !same || n != x {
			found[x.String()] = true
		}
	case []any:
		list, _ := b.([]any)
		for i, item := range x {
			var other any
			if i < len(list) {
				other = list[i]
			}
			differing(item, other, found)
		}
	case map[string]any:
		object, _ := b.(map[string]any)
		for key, value := range x {
			differing(value, object[key], found)
		}
	}
}
