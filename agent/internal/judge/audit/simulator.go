package audit

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/catalogue"
	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/sources"
)

// NoteSimulatorRefuses says that AWS's simulator refuses what a finding rests on.
const NoteSimulatorRefuses = "simulator-refuses"

// Simulated counts what AWS's simulator was asked about a principal.
type Simulated struct {
	Asked    int
	Agreed   int
	Skipped  int // it can't judge them, for it isn't told of what decides them
	Disagree int
}

// ToSimulate are the requests of a subject to ask AWS's simulator about: what a report
// says that it may do, and a sample of what it may not.
func ToSimulate(r *Report) func(*sources.Subject) []sources.Asked {
	return func(s *sources.Subject) []sources.Asked {
		var out []sources.Asked
		add := func(action, resource string, context map[string][]string) {
			asked := sources.Asked{Action: action, Resource: resource, Context: context}
			same := func(a sources.Asked) bool {
				return a.Action == action && a.Resource == resource && contextKey(a.Context) == contextKey(context)
			}
			if _, known := catalogue.Lookup(action); known && !slices.ContainsFunc(out, same) {
				out = append(out, asked)
			}
		}
		q := &inquiry{s: s}
		add(putObject, strings.TrimSuffix(q.object(""), "*")+"x", overTLS)
		for i := range r.Principals {
			p := &r.Principals[i]
			if p.subject == nil || p.subject.Set.Subject.ARN != s.Set.Subject.ARN {
				continue
			}
			for _, f := range p.Findings {
				if f.Witness != nil {
					add(f.Witness.Action, f.Witness.Resource, f.Witness.Context)
				}
			}
		}
		for _, action := range leading {
			for _, resource := range q.samples(action) {
				add(action, resource, overTLS)
			}
		}
		return out
	}
}

// overTLS is what every request of today's clients holds.
var overTLS = map[string][]string{"aws:SecureTransport": {"true"}}

func contextKey(context map[string][]string) string {
	var out []string
	for key, values := range context {
		out = append(out, strings.ToLower(key)+"="+strings.Join(values, ","))
	}
	slices.Sort(out)
	return strings.Join(out, "\x00")
}

// askSimulator holds AWS's answers against this audit's.
func askSimulator(q *inquiry) {
	if q.s.Simulations == nil {
		return
	}
	count := &Simulated{}
	q.out.Simulated = count
	all, told := decide.New(&q.s.Set), decide.New(sources.Simulated(&q.s.Set))
	for _, sim := range q.s.Simulations {
		request := requestOf(sim.Asked)
		ours, theirs := all.Decide(request), told.Decide(request)
		count.Asked++
		switch allowed := ours.Outcome == decide.Allowed; {
		case ours.Outcome == decide.Unclear, theirs.Outcome == decide.Unclear, allowed != (theirs.Outcome == decide.Allowed),
			allowed != sim.Allowed && slices.ContainsFunc(sim.Missing, derived):
			count.Skipped++
		case allowed == sim.Allowed:
			count.Agreed++
		case sim.Allowed:
			count.Disagree++
			f := Finding{
				Actions: []string{sim.Action}, Witness: &Witness{Action: sim.Action, Resource: sim.Resource, Context: sim.Context},
				Detail: strings.ReplaceAll(ours.Outcome.String(), " ", "-"),
			}
			for _, ref := range ours.Because {
				f.Stops = append(f.Stops, Stop{Layer: q.s.Set.Sources[ref.Source].Kind, Because: q.reference(ref)})
			}
			q.find(f)
		default:
			count.Disagree++
			q.out.Notes = append(q.out.Notes, Note{What: NoteSimulatorRefuses, Source: -1, Name: refusal(sim)})
		}
	}
}

func requestOf(a sources.Asked) decide.Request {
	return decide.Request{Action: a.Action, Resource: a.Resource, Context: lowerKeys(a.Context)}
}

// derived reports whether a key follows from principal and resource: AWS puts it into each
// request, and its simulator doesn't.
func derived(key string) bool {
	key = strings.ToLower(key)
	return slices.ContainsFunc([]string{"aws:resource", "aws:principal", "aws:user", "s3:resourceaccount", "s3:dataaccesspoint"}, func(prefix string) bool {
		return strings.HasPrefix(key, prefix)
	})
}

// refusal is AWS's answer to a request, with what it missed.
func refusal(sim sources.Simulation) string {
	text := sim.Action + " " + sim.Resource + ": " + sim.Decision
	if len(sim.Missing) > 0 {
		text += " (" + strings.Join(sim.Missing, ", ") + ")"
	}
	return text
}

// lowerKeys gives keys as decide takes them.
func lowerKeys(context map[string][]string) map[string][]string {
	out := make(map[string][]string, len(context))
	for key, values := range context {
		out[strings.ToLower(key)] = values
	}
	return out
}
