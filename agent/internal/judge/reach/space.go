package reach

import "buzon/agent/internal/judge/reach/strset"

// Space keeps sets of texts, and what was worked out with them, from one set of
// documents to the next. It may not be used by two goroutines at once.
type Space struct {
	*strset.Space
	meter   *Meter // of the engine that is at work
	shapes  map[string]*strset.Set
	actions map[string][]int32
	worlds  map[string]*world
}

// NewSpace makes an empty Space.
func NewSpace() *Space {
	return &Space{Space: strset.New(), shapes: map[string]*strset.Set{}, actions: map[string][]int32{}, worlds: map[string]*world{}}
}

// count takes work off the meter of the engine that is at work.
func (s *Space) count(work int) {
	if s.meter != nil {
		s.meter.count(work)
	}
}
