package reach

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/catalogue"
)

// scope is where a condition key has a state: an action on a class of resources, with what
// the question fixes.
type scope struct {
	view   *view
	class  *resourceClass
	action *catalogue.Action // nil for one that the catalogue doesn't know
	given  map[string][]string

	at      int             // the statement that is being read
	free    map[string]bool // variables over keys that aren't fixed
	touched map[int]bool    // the statements that hold them
}

// unfixed notes a variable over a key that isn't fixed.
func (c *scope) unfixed(key string) {
	if c.free == nil {
		c.free, c.touched = map[string]bool{}, map[int]bool{}
	}
	c.free[key], c.touched[c.at] = true, true
}

// state tells what is known of a key (in lower case).
func (c *scope) state(key string) keyState {
	e := c.view.e
	if v, ok := c.given[key]; ok {
		return keyState{true, v}
	}
	if slices.Contains(pointKeys, key) {
		return c.class.pointState(key)
	}
	switch key {
	case "s3:resourceaccount":
		if c.action != nil && c.action.Service != "s3" {
			return keyState{fixed: true}
		}
		fallthrough
	case "aws:resourceaccount":
		if c.class.owner != "" {
			return keyState{true, []string{c.class.owner}}
		}
		return keyState{}
	}
	if v, ok := e.fixed[key]; ok {
		return keyState{true, v}
	}
	if strings.HasPrefix(key, "aws:principaltag/") {
		return tagOf(&e.set.Subject, key)
	}
	return keyState{fixed: neverThere(key, c.action)}
}
