package audit

import (
	"slices"
	"strings"
	"sync"

	"buzon/agent/internal/judge/catalogue"
)

// The two actions that a principal may hold under its prefix: the contract, and
// what S3 lets the initiator of an upload do anyway.
const (
	putObject   = "s3:PutObject"
	abortUpload = "s3:AbortMultipartUpload"
)

// callerIdentity needs no permission, so that a policy neither gives nor takes it (STS
// API Reference, GetCallerIdentity); no rule asks about it.
const callerIdentity = "sts:GetCallerIdentity"

// partition gives every other action of the catalogue, and every action of tomorrow,
// to exactly one rule.
type partition struct {
	actions map[RuleID][]string // in the catalogue's order; the three above are in none
	all     []string            // both as well

	others, everything func() *universe  // of other-service, of all; made on first use
	services           func() [][]string // all, service by service
}

// forbidding are the rules that share the actions out between them.
var forbidding = []RuleID{
	RuleReadObject, RuleDeleteObject, RuleList, RuleWriteElsewhere, RuleChangePermissions,
	RuleDestroyByConfig, RuleEscalate, RuleOtherService,
}

var parts = sync.OnceValue(func() *partition {
	p := &partition{actions: map[RuleID][]string{}}
	put := func(name string, rule RuleID) {
		p.all = append(p.all, name)
		p.actions[rule] = append(p.actions[rule], name)
	}
	for _, service := range catalogue.Services() {
		for _, a := range catalogue.Actions(service) {
			if ofContract(a) || a.Name == callerIdentity {
				p.all = append(p.all, a.Name)
				continue
			}
			put(a.Name, ruleOf(a))
		}
		put(catalogue.Tomorrow(service), RuleOtherService)
	}
	put(catalogue.UnknownService, RuleOtherService)
	p.others = sync.OnceValue(func() *universe { return newUniverse(p.actions[RuleOtherService]) })
	p.everything = sync.OnceValue(func() *universe { return everyUniverse(p.all) })
	p.services = sync.OnceValue(func() [][]string {
		var list [][]string
		for from := 0; from < len(p.all); {
			service, to := serviceOf(p.all[from]), from+1
			for to < len(p.all) && serviceOf(p.all[to]) == service {
				to++
			}
			list, from = append(list, p.all[from:to:to]), to
		}
		return list
	})
	return p
})

// ruleOf is the rule that an action breaks on any resource.
func ruleOf(a catalogue.Action) RuleID {
	switch a.Service {
	case "s3":
		return ruleOfS3(a)
	case "s3express", "s3-object-lambda", "s3-outposts", "s3tables", "s3vectors", "s3files":
		return ruleOfSibling(a)
	case "iam", "sts", "organizations", "sso", "rolesanywhere":
		if escalates(a) {
			return RuleEscalate
		}
		return RuleOtherService
	}
	if _, ok := slices.BinarySearch(escalations(), a.Name); ok {
		return RuleEscalate
	}
	if a.Service == "kms" && slices.Contains(keyWithdrawals, a.Name) {
		return RuleDestroyByConfig
	}
	return RuleOtherService
}

func ruleOfS3(a catalogue.Action) RuleID {
	onObjects := has(a, "object", "accesspointobject")
	switch a.Class {
	case catalogue.ReadData:
		return RuleReadObject
	case catalogue.ReadMetadata:
		if onObjects {
			return RuleReadObject
		}
		return RuleOtherService
	case catalogue.List:
		return RuleList
	case catalogue.Delete:
		if onObjects && strings.Contains(a.Name, "Delete") || a.Name == "s3:BypassGovernanceRetention" {
			return RuleDeleteObject
		}
		return RuleDestroyByConfig
	case catalogue.Permissions:
		return RuleChangePermissions
	case catalogue.Write:
		if onObjects || a.Name == "s3:CreateBucket" {
			return RuleWriteElsewhere
		}
		if slices.Contains(a.Also, catalogue.Delete) {
			return RuleDestroyByConfig
		}
		return RuleOtherService
	}
	return RuleOtherService
}

// ruleOfSibling places the actions of S3's other doors by AWS's own level.
func ruleOfSibling(a catalogue.Action) RuleID {
	switch {
	case a.Name == "s3express:CreateSession":
		return RuleReadObject // its session reads and writes
	case a.Class == catalogue.Permissions:
		return RuleChangePermissions
	case a.Class == catalogue.List:
		return RuleList
	case strings.Contains(a.Name, ":Delete"):
		return RuleDeleteObject
	case a.Class == catalogue.ReadData, a.Class == catalogue.ReadMetadata:
		return RuleReadObject
	}
	return RuleWriteElsewhere
}

func has(a catalogue.Action, types ...string) bool {
	for _, r := range a.Resources {
		if slices.Contains(types, r.Name) {
			return true
		}
	}
	return false
}

// escalates tells of the services that give rights whether an action does more
// than look.
func escalates(a catalogue.Action) bool {
	switch a.Service {
	case "sts":
		return slices.Contains(sessions, a.Name)
	default:
		return a.Class != catalogue.List && a.Class != catalogue.ReadData && a.Class != catalogue.ReadMetadata
	}
}

// allowedActions are the actions that --allow accepts.
func allowedActions(patterns []string) map[string]bool {
	out := map[string]bool{}
	for _, p := range patterns {
		for _, a := range catalogue.Match(p) {
			if acceptable(a) {
				out[a.Name] = true
			}
		}
	}
	return out
}

// acceptable actions are those that other-service asks about: everything that
// no other rule forbids, and what writes about an object (its tags, say) as long
// as that is under the prefix.
func acceptable(a catalogue.Action) bool {
	rule := ruleOf(a)
	return (rule == RuleOtherService || rule == RuleWriteElsewhere) && !ofContract(a)
}

// ofContract tells of the two actions that no rule forbids under the prefix.
func ofContract(a catalogue.Action) bool { return a.Name == putObject || a.Name == abortUpload }

// AllowError is an action that --allow can't accept.
type AllowError struct {
	Got  string
	Rule RuleID // the rule that it breaks; "" where no action is meant
}

func (e *AllowError) Error() string { return "allow " + e.Got + ": " + string(e.Rule) }

// Message names the sentence of the error.
func (e *AllowError) Message() (string, []any) {
	switch {
	case e.Rule != "":
		return "audit.allow-forbidden", []any{"action", e.Got, "rule", string(e.Rule)}
	case e.Got == putObject || e.Got == abortUpload:
		return "audit.allow-contract", []any{"action", e.Got}
	}
	return "audit.allow-unknown", []any{"action", e.Got}
}

// CheckAllow refuses patterns that mean no action of the catalogue, and names of
// actions that another rule than other-service forbids: no such rule can be
// allowed away. Of a pattern only what can be accepted is.
func CheckAllow(patterns []string) error {
	for _, p := range patterns {
		matches := catalogue.Match(p)
		if len(matches) == 0 {
			return &AllowError{Got: p}
		}
		for _, a := range matches {
			if acceptable(a) || strings.ContainsAny(p, "*?") {
				continue
			}
			if ofContract(a) {
				return &AllowError{Got: p}
			}
			return &AllowError{Got: p, Rule: ruleOf(a)}
		}
	}
	return nil
}
