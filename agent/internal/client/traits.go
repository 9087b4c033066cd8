package client

import (
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"
)

// Traits are what a store has shown of itself in answers that were its own beyond doubt, so that a later answer that
// lacks them is known for another's. They belong to one endpoint and outlive the key. The zero value knows nothing;
// nil is allowed. All methods may be called from several goroutines.
type Traits struct {
	// Changed is told of all that is known whenever something was learnt, which is a few times in a store's life; nil
	// is allowed. It is called by one goroutine at a time, whichever learnt it, and must not call back.
	Changed func(Shown)

	mu    sync.RWMutex
	shown Shown
}

// Shown is what Traits know, to be kept.
type Shown struct {
	// Header stands in all answers of the store and in nobody else's: by it a HEAD's answer is known.
	Header string `json:"header,omitempty"`
	// Echoes are the operations whose success echoes the checksum.
	Echoes []string `json:"echoes,omitempty"`
	// Fit is when it proved that it keeps what files need, by bucket and prefix.
	Fit map[string]time.Time `json:"fit,omitempty"`
}

// NewTraits begins with what was known when Changed was told last.
func NewTraits(known Shown, changed func(Shown)) *Traits {
	return &Traits{shown: known, Changed: changed}
}

// requestID is AWS's own header, which most other stores send too.
const requestID = "X-Amz-Request-Id"

// telling are headers that only stores send. What every proxy sends (Server, X-Request-Id) tells nothing.
var telling = regexp.MustCompile(`^X-(?:Amz-Id-2|Amzn-Requestid|Trans-Id|Guploader-Uploadid|[A-Z][A-Za-z]+-Request-Id)$`)

// meet takes in the headers of an answer that is the store's.
func (t *Traits) meet(h http.Header) {
	if t == nil {
		return
	}
	t.mu.RLock()
	had := t.shown.Header
	t.mu.RUnlock()
	if had != "" || h.Get(requestID) != "" { // which always counts
		return
	}
	for name := range h {
		if telling.MatchString(name) && (had == "" || name < had) {
			had = name
		}
	}
	if had != "" {
		t.learn(func(s *Shown) { s.Header = had })
	}
}

// known tells whether headers can only be the store's: AWS's own always count, and at another store those that it
// showed before.
func (t *Traits) known(h http.Header, custom bool) bool {
	if h.Get(requestID) != "" {
		return true
	}
	if t == nil || !custom {
		return false
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.shown.Header != "" && h.Get(t.shown.Header) != ""
}

// heard takes in whether a success of an operation echoed its checksum, and tells whether it may be believed: AWS
// always echoes, another store as it did before. A proof sees whether the store still does: if not, it is another
// program now, and nothing that was learnt of echoes counts any more.
func (t *Traits) heard(operation string, echoed, custom, proof bool) bool {
	if t == nil {
		return echoed || custom
	}
	t.mu.RLock()
	did := slices.Contains(t.shown.Echoes, operation)
	t.mu.RUnlock()
	switch {
	case echoed && !did && custom:
		t.learn(func(s *Shown) {
			if !slices.Contains(s.Echoes, operation) {
				s.Echoes = append(slices.Clone(s.Echoes), operation)
			}
		})
	case !echoed && did && proof:
		t.learn(func(s *Shown) { s.Echoes, s.Fit = nil, nil })
		return custom
	}
	return echoed || custom && !did
}

// Prove notes that the store proved at a place (a bucket and a prefix) that it keeps what files need.
func (t *Traits) Prove(place string, at time.Time) {
	t.learn(func(s *Shown) {
		fit := map[string]time.Time{place: at}
		for other, when := range s.Fit {
			if at.Sub(when) < provenFor && other != place {
				fit[other] = when
			}
		}
		s.Fit = fit
	})
}

// provenFor is how long a proof counts: it may leave an unfinished upload, where a key may not abort its own.
const provenFor = 24 * time.Hour

// Proven tells whether the store has proved itself at a place within the last day.
func (t *Traits) Proven(place string, now time.Time) (at time.Time, ok bool) {
	at = t.Shown().Fit[place]
	age := now.Sub(at)
	return at, age >= 0 && age < provenFor
}

// Shown is what is known now.
func (t *Traits) Shown() Shown {
	if t == nil {
		return Shown{}
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.shown
}

func (t *Traits) learn(change func(*Shown)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.shown)
	if t.Changed != nil {
		t.Changed(t.shown)
	}
}
