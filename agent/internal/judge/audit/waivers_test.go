package audit

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// accepted is one waiver of a file.
func accepted(lines ...string) string {
	return "waivers:\n  - " + strings.Join(lines, "\n    ") + "\n"
}

const (
	forVM  = "principal: " + vm
	signed = "reason: agreed in review\n    who: r.lopez\n    until: 2026-12-31"
)

func TestAFileOfWaiversIsReadStrictly(t *testing.T) {
	for _, row := range []struct {
		name, text string
		code       policy.Code
		line       int
	}{
		{"one", accepted("rule: read-object", forVM, signed), "", 0},
		{"with actions and a resource", accepted("rule: read-object", forVM, "actions: [s3:GetObject, 's3:GetObjectVersion']", "resource: arn:aws:s3:::b/p/*", signed), "", 0},
		{"a family of names", accepted("rule: read-object", "principal: arn:aws:iam::111122223333:user/buzon/vm-*", signed), "", 0},
		{"none", "waivers: []\n", "", 0},
		{"JSON, which is YAML", `{"waivers": [{"rule": "list", "principal": "` + vm + `", "reason": "r", "who": "w", "until": "2026-01-01"}]}`, "", 0},

		{"no YAML", "waivers:\n  - rule: [\n", WaiverSyntax, 2},
		{"nothing", "", WaiverShape, 1},
		{"a list at the top", "- rule: list\n", WaiverShape, 1},
		{"no list", "waivers: yes\n", WaiverShape, 1},
		{"a text for a waiver", "waivers:\n  - list\n", WaiverShape, 2},
		{"another key at the top", "waivers: []\nversion: 1\n", WaiverKey, 2},
		{"another key", accepted("rule: list", forVM, "severity: error", signed), WaiverKey, 4},
		{"a key twice", accepted("rule: list", forVM, "rule: list", signed), WaiverKey, 4},
		{"no reason", accepted("rule: list", forVM, "who: w", "until: 2026-12-31"), WaiverMissing, 2},
		{"an empty reason", accepted("rule: list", forVM, "reason: ''", "who: w", "until: 2026-12-31"), WaiverValue, 4},
		{"a rule that isn't one", accepted("rule: read", forVM, signed), WaiverRuleName, 2},
		{"cannot-write", accepted("rule: cannot-write", forVM, signed), WaiverForbidden, 2},
		{"drift", accepted("rule: drift", forVM, signed), WaiverForbidden, 2},
		{"the simulator", accepted("rule: simulator-disagrees", forVM, signed), WaiverForbidden, 2},
		{"everybody", accepted("rule: list", "principal: '*'", signed), WaiverPrincipal, 3},
		{"every account", accepted("rule: list", "principal: arn:aws:iam::*:user/buzon/vm-01", signed), WaiverPrincipal, 3},
		{"every path", accepted("rule: list", "principal: arn:aws:iam::111122223333:user/*/vm-01", signed), WaiverPrincipal, 3},
		{"no day", accepted("rule: list", forVM, "reason: r", "who: w", "until: 2026-13-01"), WaiverDate, 6},
		{"a month", accepted("rule: list", forVM, "reason: r", "who: w", "until: 2026-12"), WaiverDate, 6},
		{"actions of nothing", accepted("rule: list", forVM, "actions: []", signed), WaiverValue, 4},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := ParseWaivers("w.yaml", []byte(row.text))
			var faults policy.Errors
			if row.code == "" && err != nil || row.code != "" && !errors.As(err, &faults) {
				t.Fatalf("%v, want %s", err, row.code)
			}
			if row.code != "" && (faults[0].Code != row.code || faults[0].Pos.Line != row.line || faults[0].File != "w.yaml") {
				t.Errorf("%s at %v, want %s in line %d", faults[0].Code, faults[0].Pos, row.code, row.line)
			}
			if row.code != "" && !slices.Contains(WaiverCodes(), row.code) {
				t.Errorf("%s isn't in the list", row.code)
			}
		})
	}
}

func waived(t *testing.T, found *sources.Found, file string, at time.Time) *Report {
	t.Helper()
	list, err := ParseWaivers("w.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return Judge(t.Context(), found, Options{Waivers: list, Now: at})
}

func TestAWaiverCoversAFindingThatLiesWithinIt(t *testing.T) {
	read := func(resource string) string { return allow("s3:GetObject", resource) }
	day := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, row := range []struct {
		name    string
		docs    []doc
		waivers string
		at      time.Time
		verdict Verdict
		expired string
	}{
		{"its rule", []doc{identity(contract, read("arn:aws:s3:::b/p/*"))}, accepted("rule: read-object", forVM, signed), now, Waived, ""},
		{"its last day", []doc{identity(contract, read("*"))}, accepted("rule: read-object", forVM, signed), day("2026-12-31T23:59:59Z"), Waived, ""},
		{"the last day elsewhere", []doc{identity(contract, read("*"))}, accepted("rule: read-object", forVM, signed), day("2027-01-01T00:30:00+02:00"), Waived, ""},
		{"the day after", []doc{identity(contract, read("*"))}, accepted("rule: read-object", forVM, signed), day("2027-01-01T00:00:00Z"), Violation, DetailPast},
		{"another rule", []doc{identity(contract, read("*"))}, accepted("rule: list", forVM, signed), now, Violation, DetailUnused},
		{"one rule of two", []doc{identity(contract, read("*"), allow("s3:ListBucket", "*"))}, accepted("rule: read-object", forVM, signed), now, Violation, ""},
		{"two of two", []doc{identity(contract, read("*"), allow("s3:ListBucket", "*"))},
			accepted("rule: read-object", forVM, signed) + "  - rule: list\n    " + forVM + "\n    " + signed + "\n", now, Waived, ""},
		{"its action", []doc{identity(contract, read("*"))}, accepted("rule: read-object", forVM, "actions: ['s3:Get*']", signed), now, Waived, ""},
		{"another action", []doc{identity(contract, read("*"))}, accepted("rule: read-object", forVM, "actions: s3:GetObjectVersion", signed), now, Violation, DetailUnused},
		{"one action of several", []doc{identity(contract, allow("s3:Get*", "*"))}, accepted("rule: read-object", forVM, "actions: s3:GetObject", signed), now, Violation, DetailUnused},
		{"its resource", []doc{identity(contract, read("arn:aws:s3:::b/p/x/*"))}, accepted("rule: read-object", forVM, "resource: arn:aws:s3:::b/p/*", signed), now, Waived, ""},
		{"a wider resource", []doc{identity(contract, read("arn:aws:s3:::b/*"))}, accepted("rule: read-object", forVM, "resource: arn:aws:s3:::b/p/*", signed), now, Violation, DetailUnused},
		{"one statement of two", []doc{identity(contract, read("arn:aws:s3:::b/p/*"), read("arn:aws:s3:::c/*"))},
			accepted("rule: read-object", forVM, "resource: arn:aws:s3:::b/p/*", signed), now, Violation, DetailUnused},
		{"one document of two", []doc{identity(contract, read("arn:aws:s3:::b/p/*")), {policy.GroupInline, document(read("*"))}},
			accepted("rule: read-object", forVM, "resource: arn:aws:s3:::b/p/*", signed), now, Violation, DetailUnused},
		{"all but a resource", []doc{identity(contract, `{"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::b/p/x"}`)},
			accepted("rule: read-object", forVM, "resource: arn:aws:s3:::*", signed), now, Violation, DetailUnused},
		{"somebody else", []doc{identity(contract, read("*"))}, accepted("rule: read-object", "principal: arn:aws:iam::111122223333:user/buzon/vm-02", signed), now, Violation, ""},
		{"a family of names", []doc{identity(contract, read("*"))}, accepted("rule: read-object", "principal: arn:aws:iam::111122223333:user/buzon/vm-*", signed), now, Waived, ""},
		{"another account", []doc{identity(contract, read("*"))}, accepted("rule: read-object", "principal: arn:aws:iam::444455556666:user/buzon/vm-01", signed), now, Violation, ""},
		{"a warning", []doc{identity(allow("s3:*", "*")), {policy.Boundary, document(contract)}}, accepted("rule: broad-policy", forVM, signed), now, WriteOnly, ""},
		{"a part of the prefix can't be waived away", []doc{identity(allow("s3:PutObject", "arn:aws:s3:::b/p/a*"), read("*"))}, accepted("rule: read-object", forVM, signed), now, Violation, ""},
		{"nor that it can't write", []doc{identity(read("*"))}, accepted("rule: read-object", forVM, signed), now, NoAccess, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := waived(t, case1{docs: row.docs}.load(t), row.waivers, row.at)
			p := &r.Principals[0]
			expired := ""
			for _, f := range p.Findings {
				if f.Rule == RuleWaiverExpired {
					expired = f.Detail
					if f.Severity != Warning || f.Lacks[0].Line != 2 || f.Lacks[0].File != "w.yaml" {
						t.Errorf("%+v", f)
					}
				}
			}
			if p.Verdict != row.verdict || r.Verdict != row.verdict || expired != row.expired {
				t.Errorf("%s, expired %q; want %s, %q; findings %+v", p.Verdict, expired, row.verdict, row.expired, p.Findings)
			}
			nobody := row.name == "somebody else" || row.name == "another account"
			if (len(r.Findings) > 0) != nobody {
				t.Errorf("of nobody: %+v", r.Findings)
			}
			for _, f := range p.Findings {
				if (f.Waived != nil) && (f.Waived.Who != "r.lopez" || f.Waived.Until != "2026-12-31") {
					t.Errorf("%+v", f.Waived)
				}
			}
		})
	}
}

// A waiver that is of no use is a warning, which is a no with --strict.
func TestAWaiverOfNobodyCountsInAStrictReport(t *testing.T) {
	found := case1{docs: []doc{identity(contract), {policy.BucketPolicy, document(noSessions)}}}.load(t)
	r := waived(t, found, accepted("rule: list", "principal: arn:aws:iam::111122223333:user/buzon/vm-09", signed), now)
	if r.Verdict != WriteOnly || r.Refused(false) || !r.Refused(true) {
		t.Errorf("%s %v %v", r.Verdict, r.Refused(false), r.Refused(true))
	}
}

// What lies within a pattern is matched by it: every text that the inner one matches.
func TestWithinIsNeverWiderThanThePattern(t *testing.T) {
	pattern := rapid.StringOfN(rapid.RuneFrom([]rune("ab/*?")), 0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		inner, outer := pattern.Draw(t, "inner"), pattern.Draw(t, "outer")
		if !liesWithin(inner, outer) {
			return
		}
		text := strings.NewReplacer("*", rapid.SampledFrom([]string{"", "a", "b/a"}).Draw(t, "run"), "?", rapid.SampledFrom([]string{"a", "/"}).Draw(t, "one")).Replace(inner)
		if !liesWithin(text, outer) {
			t.Fatalf("%q is of %q, which lies within %q", text, inner, outer)
		}
	})
	for _, row := range []struct {
		inner, outer string
		want         bool
	}{
		{"a", "a", true}, {"a*", "a*", true}, {"ab", "a?", true}, {"a?", "a*", true}, {"*", "?", false}, {"a*", "a", false}, {"a*b", "a*", true}, {"", "*", true}, {"x", "", false},
	} {
		if liesWithin(row.inner, row.outer) != row.want {
			t.Errorf("%q within %q isn't %v", row.inner, row.outer, row.want)
		}
	}
}

// A finding of a template is waived for the account that it will be deployed in.
func TestATemplatesPrincipalMayBeOfAnyAccount(t *testing.T) {
	w := WaiverRule{Principal: vm}
	for arn, want := range map[string]bool{
		vm: true, "arn:aws:iam::${AWS::AccountId}:user/buzon/vm-01": true, "arn:aws:iam::${AWS::AccountId}:user/buzon/vm-02": false, "arn:aws:iam::${AWS::AccountId}:role/buzon/vm-01": false,
		"arn:aws:iam::${AWS::AccountId}:user/vm-01": false,
	} {
		p := &Principal{ARN: arn, Account: policy.Segments(arn)[4]}
		if w.means(p) != want {
			t.Errorf("%s isn't %v", arn, want)
		}
	}
}
