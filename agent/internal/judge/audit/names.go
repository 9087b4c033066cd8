package audit

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/catalogue"
)

// compress writes "ec2:*" where everything of a service that the universe holds
// is in the list, its actions of tomorrow included, and "*" where that is so of
// every service. What is not of the universe stays as it is.
func compress(actions, universe []string) []string {
	in := make(map[string]bool, len(actions))
	for _, a := range actions {
		in[a] = true
	}
	whole, all := map[string]bool{}, in[catalogue.UnknownService]
	for _, s := range catalogue.Services() {
		whole[s] = in[catalogue.Tomorrow(s)]
	}
	of := make(map[string]bool, len(universe))
	for _, a := range universe {
		of[a] = true
		if !in[a] {
			whole[serviceOf(a)], all = false, false
		}
	}
	if all {
		return []string{"*"}
	}
	var out []string
	done := map[string]bool{}
	for _, a := range actions {
		service := serviceOf(a)
		switch {
		case !whole[service] || !of[a]:
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
