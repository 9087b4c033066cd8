package reach

import (
	"context"

	"buzon/agent/internal/judge/reach/strset"
	"buzon/agent/policy"
)

// Meter bounds what several engines do together, say for one principal: first by
// work, which is the same on every machine, and at last by time. It may not be
// used by two goroutines at once.
type Meter struct {
	left  int
	ctx   context.Context
	ticks int
	over  Reason // why no more is done; "" while it is
}

// DefaultWork is how many states and boxes may be made for one principal: some
// ten times of what the heaviest of AWS's own policies takes.
const DefaultWork = 20_000_000

// NewMeter makes a meter for so much work (zero: DefaultWork). Where ctx ends, what
// is under way is given up: OverTime.
func NewMeter(ctx context.Context, work int) *Meter {
	if work == 0 {
		work = DefaultWork
	}
	return &Meter{left: work, ctx: ctx}
}

// Over tells why the meter has run out; "" while it hasn't.
func (m *Meter) Over() Reason { return m.over }

// givenUp is what a computation panics with that would go beyond a budget; the
// engine's exported methods recover it and answer Unknown.
type givenUp struct{ reason Reason }

// begin gives up where nothing more may be begun.
func (m *Meter) begin() {
	m.ticks = every
	m.count(0)
}

// every is how often the clock is looked at, in steps of work.
const every = 4096

// count takes work off the meter, and gives up where none is left.
func (m *Meter) count(work int) {
	if m.left -= work; m.left < 0 && m.over == "" {
		m.over = OverBudget
	}
	if m.ticks += work; m.ticks >= every {
		m.ticks = 0
		if m.over == "" && m.ctx.Err() != nil {
			m.over = OverTime
		}
	}
	if m.over != "" {
		panic(givenUp{m.over})
	}
}

// begin starts a new piece of work.
func (e *Engine) begin() {
	e.space.meter = e.meter
	e.space.Begin(e.budget.States, e.meter.count)
	e.looked = 0
}

// look counts one box.
func (e *Engine) look() {
	e.meter.count(1)
	if e.looked++; e.looked > e.budget.Boxes {
		panic(givenUp{OverBudget})
	}
}

// within does a piece of work, and tells whether it stayed within the budget.
func (e *Engine) within(work func()) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			switch r := r.(type) {
			case givenUp:
				e.reason = r.reason
			case strset.OverBudget:
				e.reason = OverBudget
			default:
				panic(r)
			}
			ok = false
		}
	}()
	e.begin()
	e.meter.begin()
	work()
	return true
}

// gaveUp is why the last piece of work has no answer.
func (e *Engine) gaveUp() Doubt { return Doubt{e.reason, nowhere} }

// nowhere is the reference of a doubt that hangs on no single statement.
var nowhere = policy.Reference{Source: -1, Statement: -1}
