package serve

import (
	"context"
	"sync"
	"time"
)

// AnswerWithin is how long a part of the agent may take to answer before it counts as hung.
const AnswerWithin = 10 * time.Second

// Part is one part of the agent that must always come around, whatever it waits for.
type Part struct {
	Name string
	// Answers returns once the part has come around, or with an error when its context ends before. It is called from
	// many goroutines.
	Answers func(context.Context) error
}

// Health asks the parts of the agent whether they answer.
type Health []Part

// Silent are the names of the parts that don't answer within [AnswerWithin]; none of a healthy agent.
func (h Health) Silent(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, AnswerWithin)
	defer cancel()
	failed := make([]bool, len(h))
	var all sync.WaitGroup
	for i, part := range h {
		all.Go(func() { failed[i] = part.Answers(ctx) != nil })
	}
	all.Wait()
	var names []string
	for i, part := range h {
		if failed[i] {
			names = append(names, part.Name)
		}
	}
	return names
}

// Feed calls feed whenever all parts have answered, until the context ends; limit is after how long without it the agent
// is started again. silent is told the parts that don't answer, and nil once they do.
func (h Health) Feed(ctx context.Context, limit time.Duration, feed func(), silent func(parts []string)) {
	ticker := time.NewTicker(min(limit/3, AnswerWithin))
	defer ticker.Stop()
	hung := false
	for {
		parts := h.Silent(ctx)
		if ctx.Err() != nil {
			return
		}
		if len(parts) == 0 {
			feed()
		}
		if hung != (len(parts) > 0) {
			hung = !hung
			silent(parts)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
