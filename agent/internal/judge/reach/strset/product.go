package strset

// pair is a state of each of two automata, or dead.
type pair struct{ a, b int32 }

// product numbers pairs in the order in which they are found.
type product struct {
	todo  []pair
	width int32
	small []int32        // by pair, one more than its number; empty if there were too many
	large map[pair]int32 // then this one
}

// smallPairs is how many pairs have a place each, whether they are found or not.
const smallPairs = 1 << 15

// begin forgets the pairs, and makes place for those of automata of two sizes.
func (p *product) begin(a, b int) {
	p.todo, p.small, p.large = p.todo[:0], p.small[:0], nil
	p.width = int32(b + 1)
	n := (a + 1) * (b + 1)
	switch {
	case n > smallPairs:
		p.large = map[pair]int32{}
	case cap(p.small) < n:
		p.small = make([]int32, n)
	default:
		p.small = p.small[:n]
		clear(p.small)
	}
}

func (p *product) find(x pair) (int32, bool) {
	if p.large != nil {
		n, ok := p.large[x]
		return n, ok
	}
	n := p.small[(x.a+1)*p.width+x.b+1]
	return n - 1, n > 0
}

// add numbers a pair that isn't there yet.
func (p *product) add(x pair) int32 {
	n := int32(len(p.todo))
	p.todo = append(p.todo, x)
	if p.large != nil {
		p.large[x] = n
	} else {
		p.small[(x.a+1)*p.width+x.b+1] = n + 1
	}
	return n
}
