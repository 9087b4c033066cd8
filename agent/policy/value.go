package policy

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ParseNumber reads a value of a Numeric operator: a decimal number.
func ParseNumber(s string) (float64, bool) {
	if !isNumber(strings.TrimPrefix(s, "+")) {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

// ParseDate reads a value of a Date operator: one of the W3C's forms of
// ISO 8601, or seconds since 1970 (IAM User Guide, "IAM JSON policy elements:
// Condition operators"). A date without an offset is UTC.
func ParseDate(s string) (time.Time, bool) {
	for _, layout := range []string{
		"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04Z07:00",
		"2006-01-02T15:04:05.999999999", "2006-01-02",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	// Four digits are a year and six with a hyphen a month; any other run of
	// digits counts seconds.
	for _, layout := range []string{"2006", "2006-01"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > -1<<40 && n < 1<<40 {
		return time.Unix(n, 0).UTC(), true
	}
	return time.Time{}, false
}

// ParseIP reads a value of an IP operator: an address, or a block in CIDR
// notation. A bare address is a block of one; bits beyond the mask are
// dropped, and an IPv4 address written as IPv6 is IPv4.
func ParseIP(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), true
}

// ParseBool reads a value of Bool or Null; the case doesn't matter.
func ParseBool(s string) (value, ok bool) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	}
	return false, false
}

// validValue reports whether a text can be a value of the test.
func validValue(t Test, s string) bool {
	ok := true
	switch t {
	case NumericEquals, NumericNotEquals, NumericLessThan, NumericLessThanEquals,
		NumericGreaterThan, NumericGreaterThanEquals:
		_, ok = ParseNumber(s)
	case DateEquals, DateNotEquals, DateLessThan, DateLessThanEquals, DateGreaterThan,
		DateGreaterThanEquals:
		_, ok = ParseDate(s)
	case Bool, Null:
		_, ok = ParseBool(s)
	case IPAddress, NotIPAddress:
		_, ok = ParseIP(s)
	case BinaryEquals:
		_, err := base64.StdEncoding.DecodeString(s)
		ok = err == nil
	case StringEquals, StringNotEquals, StringEqualsIgnoreCase, StringNotEqualsIgnoreCase,
		StringLike, StringNotLike, ArnEquals, ArnLike, ArnNotEquals, ArnNotLike:
	}
	return ok
}
