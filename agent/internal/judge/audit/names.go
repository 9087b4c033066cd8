package audit

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/catalogue"
)

// universe is a list of actions, with how many of them each service has.
type universe struct {
	of   map[string]bool // nil: every action is
	all  int
	size map[string]int
}

func newUniverse(actions []string) *universe {
	u := everyUniverse(actions)
	u.of = make(map[string]bool, len(actions))
	for _, a := range actions {
		u.of[a] = true
	}
	return u
}

// everyUniverse is that of a list of all actions that there are.
func everyUniverse(actions []string) *universe {
	u := &universe{all: len(actions), size: map[string]int{}}
	for _, a := range actions {
		u.size[serviceOf(a)]++
	}
	return u
}

func (u *universe) has(action string) bool { return u.of == nil || u.of[action] }

// compress writes "ec2:*" where everything of a service that the universe holds
// is in the list, its actions of tomorrow included, and "*" where that is so of
// every service. What is not of the universe stays as it is. The list names no
// action twice.
func compress(actions []string, u *universe) []string {
	have, all, tomorrow := map[string]int{}, 0, map[string]bool{}
	for _, a := range actions {
		if !u.has(a) {
			continue
		}
		service := serviceOf(a)
		have[service]++
		all++
		if a == catalogue.Tomorrow(service) {
			tomorrow[service] = true
		}
	}
	if all == u.all {
		return []string{"*"}
	}
	var out []string
	done := map[string]bool{}
	for _, a := range actions {
		service := serviceOf(a)
		switch {
		case !u.has(a) || !tomorrow[service] || have[service] < u.size[service]:
			out = append(out, a)
		case !done[service]:
			done[service] = true
			out = append(out, service+":*")
		}
	}
	return named(out)
}

func serviceOf(action string) string {
	service, _, _ := strings.Cut(action, ":")
	return service
}

// covered reports whether a list of actions says this one already.
func covered(list []string, action string) bool {
	return slices.Contains(list, action) || slices.Contains(list, "*") || slices.Contains(list, serviceOf(action)+":*")
}

// named writes the symbols of tomorrow as a person can read them.
func named(actions []string) []string {
	out := make([]string, 0, len(actions))
	for _, a := range actions {
		if service, ok := strings.CutSuffix(a, ":~"); ok && service != "~" {
			a = service + ":(tomorrow)"
		} else if a == catalogue.UnknownService {
			a = "(tomorrow)"
		}
		out = append(out, a)
	}
	return out
}
