package s3server

import "maps"

// Stats are the counters since New or Reset.
type Stats struct {
	Requests    int64
	Objects     int64 // stored
	Bytes       int64 // of objects' and parts' content that arrived whole
	Connections int64
	MostAtOnce  int64
	Ops         map[Op]int64
	Answers     map[int]int64    // by HTTP status
	Codes       map[string]int64 // by error code
}

func newStats() Stats {
	return Stats{Ops: map[Op]int64{}, Answers: map[int]int64{}, Codes: map[string]int64{}}
}

func (st *Stats) begin(op Op, flying int64) {
	st.Requests++
	st.Ops[op]++
	st.MostAtOnce = max(st.MostAtOnce, flying)
}

// Stats is a copy of the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.stats
	c.Ops, c.Answers, c.Codes = maps.Clone(c.Ops), maps.Clone(c.Answers), maps.Clone(c.Codes)
	return c
}

// ResetStats zeroes the counters and keeps the objects.
func (s *Server) ResetStats() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats = newStats()
}
