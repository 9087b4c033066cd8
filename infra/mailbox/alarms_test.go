package mailbox

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

func TestBlocksInFilters(t *testing.T) {
	for block, want := range map[string]string{
		"203.0.113.7":         "203.0.113.7",
		"203.0.113.7/32":      "203.0.113.7",
		"203.0.113.0/24":      "203.0.113.*",
		"203.0.113.128/25":    "203.0.113.*",
		"198.18.0.0/15":       "198.*",
		"203.0.0.0/16":        "203.0.*",
		"2.0.0.0/7":           "*",
		"2001:DB8::1":         "2001:db8::1",
		"2001:db8::/32":       "2001:db8:*",
		"2001:db8:1:2::/64":   "2001:db8:1:2:*",
		"2001:db8:0:2::/64":   "2001:db8:*",
		"2001:db8:aa00::/40":  "2001:db8:*",
		"2001:db8:1:2::1/128": "2001:db8:1:2::1",
	} {
		if got := addressPattern(block); got != want {
			t.Errorf("%s is told by %s, want %s", block, got, want)
		}
	}
}

// Whatever the block, its pattern takes each of its addresses: an alarm must not
// tell of what is allowed.
func TestAPatternTakesItsWholeBlock(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		bytes := make([]byte, 4+12*random.IntN(2))
		for i := range bytes {
			if random.IntN(3) > 0 { // many zeros, which IPv6 leaves out
				bytes[i] = byte(random.IntN(256))
			}
		}
		address, _ := netip.AddrFromSlice(bytes)
		block, err := address.Prefix(1 + random.IntN(address.BitLen()))
		if err != nil {
			t.Fatal(err)
		}
		pattern := addressPattern(block.String())
		front, open := strings.CutSuffix(pattern, "*")
		if text := address.String(); block.IsSingleIP() && text != pattern || !block.IsSingleIP() && (!open || !strings.HasPrefix(text, front)) {
			t.Fatalf("%s of %s is not taken by %s", text, block, pattern)
		}
	}
}
