package reach

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"buzon/agent/policy"
)

// span is a part of a line: of numbers, or of instants in seconds since 1970.
type span struct {
	low, high         float64
	lowOpen, highOpen bool // the end itself isn't in it
}

func (s span) has(v float64) bool {
	return (v > s.low || v == s.low && !s.lowOpen) && (v < s.high || v == s.high && !s.highOpen)
}

// spanOf is the part of a line where a test with this operand holds, without the
// test's negation.
func spanOf(t policy.Test, v float64) span {
	low, high := math.Inf(-1), math.Inf(1)
	switch t {
	case policy.NumericLessThan, policy.DateLessThan:
		return span{low: low, high: v, highOpen: true}
	case policy.NumericLessThanEquals, policy.DateLessThanEquals:
		return span{low: low, high: v}
	case policy.NumericGreaterThan, policy.DateGreaterThan:
		return span{low: v, high: high, lowOpen: true}
	case policy.NumericGreaterThanEquals, policy.DateGreaterThanEquals:
		return span{low: v, high: high}
	default:
		return span{low: v, high: v}
	}
}

// linePoints picks one point of every stretch of a line on which nothing changes:
// the ends of all spans, and something between each two and beyond. Nothing
// below from is picked.
func linePoints(spans []span, from float64) []float64 {
	var ends []float64
	for _, s := range spans {
		for _, v := range []float64{s.low, s.high} {
			if !math.IsInf(v, 0) && v >= from {
				ends = append(ends, v)
			}
		}
	}
	if !math.IsInf(from, 0) {
		ends = append(ends, from)
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)
	if len(ends) == 0 {
		return []float64{1}
	}
	var points []float64
	if math.IsInf(from, -1) {
		points = append(points, math.Floor(ends[0])-1)
	}
	for i, v := range ends {
		points = append(points, v)
		if i+1 < len(ends) {
			points = append(points, between(v, ends[i+1]))
		}
	}
	return append(points, math.Floor(ends[len(ends)-1])+1)
}

// between is a round number between two others.
func between(a, b float64) float64 {
	if v := math.Floor(a) + 1; v < b {
		return v
	}
	return a + (b-a)/2
}

func numberText(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func instantOf(t time.Time) float64 { return float64(t.Unix()) + float64(t.Nanosecond())/1e9 }

func timeOf(v float64) time.Time {
	whole, part := math.Modf(v)
	return time.Unix(int64(whole), int64(math.Round(part*1e6))*1e3).UTC()
}

// addressPoints picks one address of every stretch of the address space on which
// nothing changes: the first of each block, the first after it, and where the
// space begins; before them addresses that are easy to read.
func addressPoints(blocks []netip.Prefix) []netip.Addr {
	points := []netip.Addr{
		netip.AddrFrom4([4]byte{203, 0, 113, 1}), netip.AddrFrom4([4]byte{192, 0, 2, 1}),
		netip.AddrFrom4([4]byte{10, 0, 0, 1}), netip.AddrFrom4([4]byte{}),
		netip.MustParseAddr("2001:db8::1"), netip.IPv6Unspecified(),
	}
	for _, b := range blocks {
		points = append(points, b.Addr())
		if next := lastOf(b).Next(); next.IsValid() {
			points = append(points, next)
		}
	}
	return points
}

func lastOf(p netip.Prefix) netip.Addr {
	raw := p.Addr().AsSlice()
	for i := p.Bits(); i < len(raw)*8; i++ {
		raw[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(raw)
	return a
}
