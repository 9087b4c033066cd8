package reach

import (
	"buzon/agent/internal/judge/reach/strset"
)

// Space keeps sets of texts, and what was worked out with them, from one set of
// documents to the next. It may not be used by two goroutines at once.
type Space struct {
	*strset.Space
	meter   *Meter                    // of the engine that is at work
	actions map[string][]int32        // of the catalogue, by the pattern that covers them
	tokens  map[string][]strset.Token // by pattern of actions
	caches  map[string]*classCache
}

// mostPatterns is how many patterns of actions are kept.
const mostPatterns = 4096

// glob is the texts that match a glob; text is the set of one.
func (s *Space) glob(text string) *strset.Set {
	return s.Named("glob "+text, func() *strset.Set { return s.Glob(globTokens(text), false) })
}

func (s *Space) text(text string) *strset.Set {
	return s.Named("text "+text, func() *strset.Set { return s.Glob(strset.Chars(text), false) })
}

// NewSpace makes an empty Space.
func NewSpace() *Space {
	return &Space{Space: strset.New(), actions: map[string][]int32{}, tokens: map[string][]strset.Token{}, caches: map[string]*classCache{}}
}

// count takes work off the meter of the engine that is at work.
func (s *Space) count(work int) {
	if s.meter != nil {
		s.meter.count(work)
	}
}

// globTokens reads "*" and "?" as wildcards and everything else as it stands.
func globTokens(glob string) []strset.Token {
	list := make([]strset.Token, 0, len(glob))
	for _, r := range glob {
		switch r {
		case '*':
			list = append(list, strset.Token{Kind: strset.Run})
		case '?':
			list = append(list, strset.Token{Kind: strset.One})
		default:
			list = append(list, strset.Token{Kind: strset.Char, R: r})
		}
	}
	return list
}
