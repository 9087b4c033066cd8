package sources

import (
	"slices"
	"strings"
)

// shortestSecret is what a value must have to be hidden wherever it stands: a shorter one
// stands everywhere, and hides nothing that could not be guessed.
const shortestSecret = 6

// secrets are the values that can be hidden, the longest first, since one may hold another.
func secrets(values []string) []string {
	values = slices.DeleteFunc(slices.Clone(values), func(s string) bool { return len(s) < shortestSecret })
	slices.SortFunc(values, func(a, b string) int {
		if n := len(b) - len(a); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(values)
}
