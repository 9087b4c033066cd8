package locale

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// integer is v as a number, where v is of any whole-number type.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int(), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return int64(r.Uint()), true
	}
	return 0, false
}

// Number writes a whole number: 12,345 in English; in Spanish 12.345, and four
// figures stay together.
func (p *Printer) Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	separator := ","
	if p.lang == "es" {
		if len(s) <= 4 {
			return sign + s
		}
		separator = "."
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + separator + s[i:]
	}
	return sign + s
}

func (p *Printer) decimal(f float64, places int) string {
	s := strconv.FormatFloat(f, 'f', places, 64)
	s = strings.TrimSuffix(s, "."+strings.Repeat("0", places))
	if p.lang == "es" {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s
}

// Size writes a number of bytes in binary units with at most one decimal:
// 512 B, 64 MiB, 1.5 GiB.
func (p *Printer) Size(n int64) string {
	f, unit := float64(n), 0
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	for math.Abs(f) >= 1024 && unit < len(units)-1 {
		f /= 1024
		unit++
	}
	if math.Abs(f) >= 100 {
		f = math.Trunc(f)
	}
	return p.decimal(f, 1) + " " + units[unit]
}

// Duration writes how long something took or will take, to two units: 340 ms,
// 2.5 s, 3 min 20 s, 2 h 5 min, 4 d 3 h. The units are the same in both
// languages.
func (p *Printer) Duration(d time.Duration) string {
	if d < 0 {
		return "-" + p.Duration(-d)
	}
	two := func(big, small time.Duration, bigName, smallName string) string {
		s := strconv.FormatInt(int64(d/big), 10) + " " + bigName
		if rest := d % big / small; rest > 0 {
			s += " " + strconv.FormatInt(int64(rest), 10) + " " + smallName
		}
		return s
	}
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < 10*time.Second:
		return p.decimal(d.Truncate(100*time.Millisecond).Seconds(), 1) + " s"
	case d < time.Minute:
		return strconv.FormatInt(int64(d/time.Second), 10) + " s"
	case d < time.Hour:
		return two(time.Minute, time.Second, "min", "s")
	case d < day:
		return two(time.Hour, time.Minute, "h", "min")
	}
	return two(day, time.Hour, "d", "h")
}

// Time writes a moment for a screen: local, with its offset from UTC.
func (p *Printer) Time(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Local().Format("2006-01-02 15:04:05 -07:00")
}
