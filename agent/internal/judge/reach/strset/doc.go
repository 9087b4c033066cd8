// Package strset is sets of strings as automata: built from patterns with wildcards,
// joined, cut and taken away from one another, held against single texts, with the
// shortest member of each for an example. Equal sets are equal pointers.
//
//	s := strset.New()
//	a := s.Glob(append(strset.Chars("uploads/"), strset.Token{Kind: strset.Run}), false)
//	rest := s.Minus(a, s.Glob(strset.Chars("uploads/x"), false))
//	text, some := s.Shortest(rest)
//
// Read set.go (what a Set is, and the algebra), then minimal.go (why equal sets are
// equal pointers), glob.go (patterns), shortest.go, widen.go.
//
// A set can grow beyond all bounds: Begin sets one, and what would pass it panics with
// OverBudget, which the caller recovers. The room knows nothing of IAM, and no Space
// may be used by two goroutines at once.
package strset
