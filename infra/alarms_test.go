package main

import (
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"testing"
)

// filter is a pattern of CloudWatch Logs that an event is held against: as much of
// its grammar as ours use (CloudWatch Logs User Guide, "Filter pattern syntax").
type filter struct {
	t     *testing.T
	rest  []string
	event object
}

var filterWord = regexp.MustCompile(`\$\.[A-Za-z.]+|"[^"]*"|&&|\|\||!=|=|NOT EXISTS|[{}()]|\S`)

func matches(t *testing.T, pattern string, event object) bool {
	t.Helper()
	f := &filter{t, filterWord.FindAllString(pattern, -1), event}
	f.take("{")
	is := f.any()
	f.take("}")
	if len(f.rest) > 0 {
		t.Fatalf("%s: what is %q?", pattern, f.rest)
	}
	return is
}

func (f *filter) take(want string) string {
	if len(f.rest) == 0 || want != "" && f.rest[0] != want {
		f.t.Fatalf("want %q before %q", want, f.rest)
	}
	word := f.rest[0]
	f.rest = f.rest[1:]
	return word
}

func (f *filter) next(word string) bool {
	if len(f.rest) == 0 || f.rest[0] != word {
		return false
	}
	f.take(word)
	return true
}

func (f *filter) any() bool {
	is := f.all()
	for f.next("||") {
		is = f.all() || is
	}
	return is
}

func (f *filter) all() bool {
	is := f.one()
	for f.next("&&") {
		is = f.one() && is
	}
	return is
}

// one is a comparison, or what stands between parentheses. Nothing compares with
// what isn't there.
func (f *filter) one() bool {
	if f.next("(") {
		is := f.any()
		f.take(")")
		return is
	}
	var at any = f.event
	for part := range strings.SplitSeq(strings.TrimPrefix(f.take(""), "$."), ".") {
		inner, _ := at.(object)
		at = inner[part]
	}
	operator := f.take("")
	if operator == "NOT EXISTS" {
		return at == nil
	}
	text, there := at.(string)
	like := regexp.MustCompile("(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(strings.Trim(f.take(""), `"`)), `\*`, ".*") + "$")
	switch operator {
	case "=":
		return there && like.MatchString(text)
	case "!=":
		return there && !like.MatchString(text)
	}
	f.t.Fatalf("what is %q?", operator)
	return false
}

// event is what the trail writes of a call (CloudTrail User Guide, "CloudTrail
// record contents"), changed by a JSON text.
func event(t *testing.T, change string) object {
	t.Helper()
	var e object
	text := `{"eventSource": "s3.amazonaws.com", "eventName": "PutObject", "sourceIPAddress": "203.0.113.7", "userAgent": "[buzon/1.0]",
		"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/drop/vm-01"}, "requestParameters": {"key": "in/box/vm-01/a"}}`
	for _, text := range []string{text, change} {
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
	}
	maps.DeleteFunc(e, func(_ string, v any) bool { return v == nil })
	return e
}

const (
	asRole   = `"userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/vm-01/i-1", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/drop/vm-01"}}}`
	asReader = `"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/staff/reader"}`
	denied   = `"errorCode": "AccessDenied"`
	probe    = `"userAgent": "[buzon/1.0 buzon-probe]"`
)

// Which alarm tells of which call.
func TestWhatEachAlarmTellsOf(t *testing.T) {
	filters := map[string]string{}
	for id, r := range resources(synth(t, "all").documents[0], "AWS::Logs::MetricFilter") {
		name, _, _ := strings.Cut(strings.TrimPrefix(id, "Alarms"), "Filter")
		filters[name] = r["Properties"].(object)["FilterPattern"].(string)
	}
	if len(filters) != 4 {
		t.Fatalf("the filters are %v", filters)
	}
	for change, want := range map[string]string{
		`{}`:                                        "Silence",
		`{` + asRole + `}`:                          "Silence",
		`{` + asReader + `, ` + denied + `}`:        "",
		`{` + denied + `}`:                          "Denied",
		`{` + asRole + `, ` + denied + `}`:          "Denied",
		`{` + denied + `, ` + probe + `}`:           "",
		`{"eventName": "GetObject", ` + probe + `}`: "ProbeAllowed",
		`{"eventName": "GetObject", "errorCode": "NoSuchKey", ` + probe + `}`: "ProbeAllowed",
		`{"requestParameters": {"key": "in/box/vm-01/.buzon/canary"}}`:        "",
		`{"eventName": "CompleteMultipartUpload"}`:                            "Silence",
		`{"errorCode": "PreconditionFailed"}`:                                 "",
		// From elsewhere, denied and not.
		`{"sourceIPAddress": "198.51.100.9", ` + denied + `}`:                                        "Denied Elsewhere",
		`{"sourceIPAddress": "198.51.100.9", ` + denied + `, ` + asRole + `}`:                        "Denied Elsewhere",
		`{"sourceIPAddress": "198.51.100.9", "eventName": "GetObject"}`:                              "Elsewhere",
		`{"sourceIPAddress": "198.51.100.9", ` + denied + `, ` + probe + `}`:                         "Elsewhere",
		`{"sourceIPAddress": "198.51.100.9", ` + asReader + `}`:                                      "",
		`{"sourceIPAddress": "203.0.113.255"}`:                                                       "Silence",
		`{"sourceIPAddress": "2001:db8:77::1"}`:                                                      "Silence",
		`{"sourceIPAddress": "2001:db9::1", ` + denied + `}`:                                         "Denied Elsewhere",
		`{"sourceIPAddress": "10.0.0.7", "vpcEndpointId": "vpce-0123456789abcdef0"}`:                 "Silence",
		`{"sourceIPAddress": "10.0.0.7", "vpcEndpointId": "vpce-0123456789abcdef1", ` + denied + `}`: "Denied Elsewhere",
	} {
		var told []string
		for _, id := range []string{"Denied", "ProbeAllowed", "Elsewhere", "Silence"} { // Silence: it counts as an arrival
			if matches(t, filters[id], event(t, change)) {
				told = append(told, id)
			}
		}
		if got := strings.Join(told, " "); got != want {
			t.Errorf("%s: %q, want %q", change, got, want)
		}
	}
}

// Every object makes an event but the canaries, whatever stands below an
// uploader's prefix (EventBridge User Guide, "Comparison operators": a wildcard
// crosses slashes; of several patterns one is enough).
func TestWhichKeysMakeEvents(t *testing.T) {
	rule := only(t, synth(t, "all").documents[0], "AWS::Events::Rule")["Properties"].(object)["EventPattern"].(object)
	keys := rule["detail"].(object)["object"].(object)["key"].([]any)
	like := func(pattern any, key string) bool {
		text := strings.ReplaceAll(regexp.QuoteMeta(pattern.(string)), `\*`, ".*")
		return regexp.MustCompile("(?s)^" + text + "$").MatchString(key)
	}
	for key, want := range map[string]bool{
		"in/box/vm-01/a":                         true,
		"in/box/vm-01/.buzon/canary":             false,
		"in/box/vm-01/.buzon/canary2":            true,
		"in/box/vm-01/.buzon/x":                  true,
		"in/box/vm-01/project/.buzon/canary":     true,
		"in/box/vm-01/.buzon/.buzon/canary":      true,
		"in/box/vm-01/a/b/c/.buzon/canary":       true,
		"elsewhere/.buzon/canary":                true,
		"in/box/vm-01/line\nbreak/.buzon/canary": true,
	} {
		made := false
		for _, one := range keys {
			if not, ok := one.(object)["anything-but"].(object); ok {
				made = made || !like(not["wildcard"], key)
			} else {
				made = made || like(one.(object)["wildcard"], key)
			}
		}
		if made != want {
			t.Errorf("%q makes an event: %t", key, made)
		}
	}
}
