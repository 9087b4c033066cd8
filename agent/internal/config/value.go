package config

import (
	"math"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const day = 24 * time.Hour

// ParseDuration reads 500ms, 5s, 5m, 1h30m, 400d and 1d12h. A number without a
// unit is refused, except 0.
func ParseDuration(s string) (time.Duration, bool) {
	days, rest, found := strings.Cut(s, "d")
	if !found {
		d, err := time.ParseDuration(s)
		return d, err == nil && d >= 0
	}
	n, err := strconv.ParseUint(days, 10, 32)
	if err != nil || n > uint64(math.MaxInt64/day) {
		return 0, false
	}
	d := time.Duration(n) * day
	if rest != "" {
		more, err := time.ParseDuration(rest)
		if err != nil || more < 0 || d+more < d {
			return 0, false
		}
		d += more
	}
	return d, true
}

// FormatDuration writes what ParseDuration reads.
func FormatDuration(d time.Duration) string {
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

var sizePattern = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?(|B|[KMGT]i?B)$`)

var units = map[string]float64{
	"": 1, "B": 1,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
}

// ParseSize reads a number of bytes: 65536, 512KiB, 64MiB, 1.5GiB; MB is a
// million.
func ParseSize(s string) (int64, bool) {
	m := sizePattern.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(m[1], 64)
	n *= units[m[2]]
	if err != nil || n > 1<<62 || (m[2] == "" && n != math.Trunc(n)) {
		return 0, false
	}
	return int64(n), true
}

// FormatSize writes what ParseSize reads, exactly.
func FormatSize(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.size && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// ParseRate reads bytes in a second: 10MiB, 10MiB/s; 0 is without limit.
func ParseRate(s string) (int64, bool) { return ParseSize(strings.TrimSuffix(s, "/s")) }

var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// isBucket holds to "Bucket naming rules" of the Amazon S3 User Guide, as far as
// they are about the name's shape.
func isBucket(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return false
	}
	return bucketPattern.MatchString(s) && !strings.Contains(s, "..")
}

var accountPattern = regexp.MustCompile(`^[0-9]{12}$`)

func isAccount(s string) bool { return accountPattern.MatchString(s) }

func isPrefix(s string) bool {
	if !utf8.ValidString(s) || len(s) > 512 || !strings.HasSuffix(s, "/") || strings.HasPrefix(s, "/") {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f || strings.ContainsRune("*?$", r) {
			return false // those three mean something else in a policy
		}
	}
	for _, part := range strings.Split(strings.TrimSuffix(s, "/"), "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

var regionPattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func isRegion(s string) bool { return regionPattern.MatchString(s) && len(s) <= 64 }

func isEndpoint(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" &&
		u.User == nil && u.RawQuery == "" && u.Fragment == "" && (u.Path == "" || u.Path == "/")
}

var classPattern = regexp.MustCompile(`^[A-Z][A-Z_]*$`)

func isClass(s string) bool { return classPattern.MatchString(s) }

func isProfile(s string) bool { return !strings.ContainsAny(s, "[]\r\n") && strings.TrimSpace(s) == s }

var expectPattern = regexp.MustCompile(`^arn:aws[a-z-]*:(iam|sts)::([0-9]{12}):(user|role|assumed-role|federated-user)/[^\s*?]+$`)

func isExpect(s string) bool { return expectPattern.MatchString(s) }

// accountOf is the account of the ARN in identity.expect, or "".
func accountOf(arn string) string {
	if m := expectPattern.FindStringSubmatch(arn); m != nil {
		return m[2]
	}
	return ""
}

// isListen accepts a loopback address with a port, or unix:/path.
func isListen(s string) bool {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		return filepath.IsAbs(path)
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || (n == 0 && port != "0") {
		return false
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
