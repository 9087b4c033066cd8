package reach

import (
	"slices"

	"buzon/agent/internal/judge/reach/strset"
	"buzon/agent/policy"
)

// symbols are the symbols of a template in the name of what a class of resources is: its bucket,
// access point, key or role, or its account.
func (p *resourceClass) symbols() []rune {
	var list []rune
	for _, text := range []string{p.bucket, p.pointARN, p.attached, p.owner} {
		for _, r := range text {
			if policy.IsSymbol(r) && !slices.Contains(list, r) {
				list = append(list, r)
			}
		}
	}
	slices.Sort(list)
	return list
}

// widened names a set of ARNs and the symbols that it was widened by.
type widened struct {
	l       *strset.Set
	symbols string
}

// symbolic widens a set of ARNs by what is asked about: where a member has a name,
// the ARN may have a symbol that turns out to be that name. Only the part before
// the first "/" is read so: there are the account and the bucket.
func (e *Engine) symbolic(l *strset.Set, p *resourceClass) *strset.Set {
	if e.symbolChars == "" || l.Empty() || l == e.space.Any {
		return l
	}
	symbols := p.symbols()
	if len(symbols) == 0 {
		return l
	}
	key := widened{l, string(symbols)}
	if wide, ok := e.widened[key]; ok {
		return wide
	}
	wide := l
	if rest := e.without(l, p.bucket); !rest.Empty() {
		wide = e.space.Or(l, e.space.Widen(rest, symbols, separators, policy.IsSymbol))
	}
	e.widened[key] = wide
	return wide
}

// without takes out of a set of ARNs those of the bucket that a bucket with a
// symbol for its name surely isn't.
func (e *Engine) without(l *strset.Set, bucket string) *strset.Set {
	for _, r := range bucket {
		if not := e.set.Symbols[r].Not; not != "" && bucket == e.bucketARN(string(r)) {
			arn := strset.Chars(e.bucketARN(not))
			return e.space.Minus(l, e.space.Build([][]strset.Token{arn, append(slices.Clone(arn), inside...)}, false))
		}
	}
	return l
}

// inside is what follows the ARN of a bucket in those of its objects.
var inside = []strset.Token{{Kind: strset.Char, R: '/'}, {Kind: strset.Run}}

// mayEqual tells whether a value that is known, perhaps with symbols, may turn out
// to be in a set of values that is read with what its symbols could stand for.
func (e *Engine) mayEqual(l *strset.Set, value string) bool {
	return !e.space.Disjoint(l, e.space.Glob(e.symbolTokens(value), false))
}
