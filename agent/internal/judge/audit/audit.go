// Package audit holds principals to the contract of an uploader: s3:PutObject
// on every key under its prefix, and nothing else.
//
//	report := audit.Judge(ctx, found, audit.Options{})
//
// Judge asks every rule of the table Rules about every principal, in that order,
// and collects all findings; it never stops at the first. A finding comes with a
// witness: one request that the documents allow, replayed through decide before
// it is shown. A witness that decide refuses is a fault of this program: it is
// reported as an open question, and never swallowed.
//
// It judges the documents that it is given. What was not read stands in the
// report as an assumption, what could not be read makes a principal undecided.
// It decides nothing about exit codes, and makes no sentences.
package audit

import (
	"context"
	"slices"
	"time"

	"buzon/agent/internal/judge/catalogue"
	"buzon/agent/internal/judge/reach"
	"buzon/agent/internal/judge/sources"
)

// Options say how to judge.
type Options struct {
	// Allow are actions that a principal may hold besides its contract: names,
	// or patterns such as "kms:*". See CheckAllow.
	Allow []string
	// Waivers accept findings; see ParseWaivers.
	Waivers []WaiverRule
	// Strict makes assumptions open questions.
	Strict bool
	// Now is the time of the audit; zero is the present.
	Now time.Time
	// Version of the agent, Command, Region and the ARN of the Caller, for the report.
	Version, Region, Caller string
	Command                 []string
	// Budget of each question, and Work of all questions about one principal
	// (states and boxes, the same on every machine); zero is reach's own.
	Budget reach.Budget
	Work   int
	// Time for one principal, and for all: the last resort where the work that is
	// allowed takes too long. Zero is no end.
	Time, TotalTime time.Duration
}

// Judge judges every subject. Where ctx ends, or the time for all, what was not
// asked yet is undecided, and the principals that were not reached are. One is judged
// after the other: what is kept of one makes the next cheap, and twice as much of it, for
// two at once, cost more than they saved (docs/decisions/audit-speed.md).
func Judge(ctx context.Context, found *sources.Found, opts Options) *Report {
	if opts.Now.IsZero() {
		opts.Now = time.Now()
	}
	report := &Report{
		Generated: opts.Now.UTC().Truncate(time.Second), NotJudged: found.NotJudged, Strict: opts.Strict,
		Tool:   Tool{Version: opts.Version, Catalogue: catalogue.Version()},
		Region: opts.Region, Caller: opts.Caller, Command: opts.Command, Parameters: found.Parameters,
	}
	outcomes := make([]Principal, len(found.Subjects))
	all, done := within(ctx, opts.TotalTime)
	defer done()
	judge := newJudge(opts)
	for i := range found.Subjects {
		switch subject := &found.Subjects[i]; {
		case ctx.Err() != nil:
			outcomes[i] = unreached(subject, ReasonCanceled)
		case all.Err() != nil:
			outcomes[i] = unreached(subject, string(reach.OverTime))
		default:
			outcomes[i] = judge.subject(all, subject)
		}
	}
	report.Findings = waive(outcomes, opts.Waivers, opts.Now)
	report.Principals = merge(outcomes)
	report.place()
	report.conclude()
	return report
}

// judge is what the subjects share that are judged one after the other.
type judge struct {
	opts    Options
	space   *reach.Space
	allowed map[string]bool
}

func newJudge(opts Options) *judge {
	return &judge{opts: opts, space: reach.NewSpace(), allowed: allowedActions(opts.Allow)}
}

// subject judges one principal.
func (j *judge) subject(ctx context.Context, s *sources.Subject) Principal {
	ctx, done := within(ctx, j.opts.Time)
	defer done()
	q := newInquiry(j, s, reach.NewMeter(ctx, j.opts.Work))
	for _, rule := range Rules {
		if s.Absent != nil && rule.ID != RuleDrift {
			continue // there is nobody of whom to ask it
		}
		q.rule = rule
		rule.ask(q)
	}
	return q.result()
}

// within is a context that ends after a time, if there is one.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}

func unreached(s *sources.Subject, reason string) Principal {
	p := newPrincipal(s)
	p.Undecided = append(p.Undecided, question(reason, ""))
	p.Verdict = p.conclude()
	return p
}

// show writes a text of the subject's documents with its symbols by name.
func showAll(s *sources.Subject, texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = s.Show(t)
	}
	return out
}

// sortFindings puts findings into the order of the rules, and of their actions.
func sortFindings(findings []Finding) {
	order := map[RuleID]int{}
	for i, r := range Rules {
		order[r.ID] = i
	}
	slices.SortStableFunc(findings, func(a, b Finding) int { return order[a.Rule] - order[b.Rule] })
}
