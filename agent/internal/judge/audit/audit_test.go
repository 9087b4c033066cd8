package audit

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/catalogue"
	"buzon/agent/internal/judge/sources"
	"buzon/agent/policy"
)

// Between them the rules ask about every action that there is, each once.
func TestEveryActionIsAskedAboutByOneRule(t *testing.T) {
	seen := map[string]int{putObject: 1, abortUpload: 1, callerIdentity: 1} // asked about outside the prefix, or never
	for _, rule := range forbidding {
		for _, a := range parts().actions[rule] {
			seen[a]++
		}
	}
	n := 0
	for _, service := range catalogue.Services() {
		for _, a := range catalogue.Actions(service) {
			n++
			if seen[a.Name] != 1 {
				t.Errorf("%s is asked about %d times", a.Name, seen[a.Name])
			}
		}
		if seen[catalogue.Tomorrow(service)] != 1 {
			t.Errorf("what %s may be able to do tomorrow is asked about %d times", service, seen[catalogue.Tomorrow(service)])
		}
	}
	if n < 10_000 || seen[catalogue.UnknownService] != 1 {
		t.Errorf("%d actions; services of tomorrow %d times", n, seen[catalogue.UnknownService])
	}
	for _, a := range escalations() {
		if _, ok := catalogue.Lookup(a); !ok {
			t.Errorf("%s is no action", a)
		}
	}
	for _, a := range slices.Concat(leading, sessions, keyWithdrawals) {
		if _, ok := catalogue.Lookup(a); !ok {
			t.Errorf("%s is no action", a)
		}
	}
}

const (
	keyARN = "arn:aws:kms:eu-west-1:111122223333:key/k"
	inside = `"Condition": {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}, "StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::b/p/*"}}`
)

func keys(resource, condition string) string {
	return `{"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "` + resource + `", ` + condition + `}`
}

func TestTheContractWidensByOneStatementForAKey(t *testing.T) {
	deployed := doc{policy.UserInline, string(policy.WriteOnlyWithKey("arn:aws:s3:::b/p/*", keyARN, "s3.eu-west-1.amazonaws.com").JSON())}
	swap := func(from, to string) string { return strings.Replace(inside, from, to, 1) }
	for _, row := range []struct {
		name    string
		docs    []doc
		rules   string
		allowed string
	}{
		{"as it is deployed", []doc{deployed}, "", "kms:Decrypt kms:GenerateDataKey"},
		{"with its boundary", []doc{deployed, {policy.Boundary, deployed.text}}, "", "kms:Decrypt kms:GenerateDataKey"},
		{"one action", []doc{identity(contract, allow("kms:GenerateDataKey", keyARN, inside))}, "", "kms:GenerateDataKey"},
		{"a narrower prefix", []doc{identity(contract, keys(keyARN, swap("b/p/*", "b/p/${aws:username}/*")))}, "", "kms:Decrypt kms:GenerateDataKey"},
		{"a second key", []doc{identity(contract, keys(keyARN, inside), keys(keyARN+"2", inside))}, "other-service", "kms:Decrypt kms:GenerateDataKey"},
		{"any key", []doc{identity(contract, keys("*", inside))}, "other-service", ""},
		{"any key of the account", []doc{identity(contract, keys("arn:aws:kms:eu-west-1:111122223333:key/*", inside))}, "other-service", ""},
		{"without a service", []doc{identity(contract, keys(keyARN, `"Condition": {"StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::b/p/*"}}`))}, "other-service", ""},
		{"another service", []doc{identity(contract, keys(keyARN, swap("s3.eu", "sqs.eu")))}, "other-service", ""},
		{"any service", []doc{identity(contract, keys(keyARN, swap("s3.eu-west-1", "*")))}, "other-service", ""},
		{"the whole bucket", []doc{identity(contract, keys(keyARN, swap("b/p/*", "b/*")))}, "other-service", ""},
		{"no slash after the prefix", []doc{identity(contract, keys(keyARN, swap("b/p/*", "b/p*")))}, "other-service", ""},
		{"only if the context is there", []doc{identity(contract, keys(keyARN, swap("StringLike", "StringLikeIfExists")))}, "other-service", ""},
		{"all but the prefix", []doc{identity(contract, keys(keyARN, swap("StringLike", "StringNotLike")))}, "other-service", ""},
		{"a third action", []doc{identity(contract, `{"Effect": "Allow", "Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": "`+keyARN+`", `+inside+`}`)}, "other-service", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := case1{docs: row.docs}.judge(t)
			if rules(p) != row.rules || strings.Join(p.Allowed, " ") != row.allowed {
				t.Errorf("%s: %q, allowed %q; want %q, %q", p.Verdict, rules(p), p.Allowed, row.rules, row.allowed)
			}
		})
	}
}

func TestAllowAcceptsOnlyWhatNoOtherRuleForbids(t *testing.T) {
	for _, row := range []struct {
		allow string
		rule  RuleID
		ok    bool
	}{
		{"sqs:SendMessage", "", true}, {"sqs:*", "", true}, {"s3:PutObjectTagging", "", true}, {"s3:Get*", "", true},
		{"s3:GetObject", RuleReadObject, false}, {"s3:DeleteObject", RuleDeleteObject, false}, {"s3:ListBucket", RuleList, false},
		{"iam:PassRole", RuleEscalate, false}, {"s3:PutObject", "", false}, {"nothing", "", false}, {"abacus:Count", "", false},
	} {
		err := CheckAllow([]string{row.allow})
		var refused *AllowError
		if errors.As(err, &refused) == row.ok || !row.ok && refused.Rule != row.rule {
			t.Errorf("--allow %s: %v", row.allow, err)
		}
	}
	for _, row := range []struct {
		name    string
		allow   []string
		docs    []doc
		rules   string
		allowed string
	}{
		{"by name", []string{"sqs:SendMessage"}, []doc{identity(contract, allow("sqs:SendMessage", "*"))}, "", "sqs:SendMessage"},
		{"by a pattern", []string{"sqs:Send*"}, []doc{identity(contract, allow("sqs:SendMessage", "*"))}, "", "sqs:SendMessage"},
		{"another", []string{"sqs:SendMessage"}, []doc{identity(contract, allow("sqs:*", "*"))}, "other-service", "sqs:SendMessage"},
		{"not held", []string{"sqs:SendMessage"}, []doc{identity(contract)}, "", ""},
		{"a pattern over what is forbidden", []string{"s3:Get*"}, []doc{identity(contract, allow("s3:GetObject", "*"))}, "read-object", ""},
		{"tags under the prefix", []string{"s3:PutObjectTagging"}, []doc{identity(contract, allow("s3:PutObjectTagging", "arn:aws:s3:::b/p/*"))}, "", "s3:PutObjectTagging"},
		{"tags beside it", []string{"s3:PutObjectTagging"}, []doc{identity(contract, allow("s3:PutObjectTagging", "arn:aws:s3:::b/*"))}, "write-elsewhere", "s3:PutObjectTagging"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := case1{docs: row.docs, opts: Options{Allow: row.allow}}.judge(t)
			if rules(p) != row.rules || strings.Join(p.Allowed, " ") != row.allowed {
				t.Errorf("%s: %q, allowed %q; want %q, %q", p.Verdict, rules(p), p.Allowed, row.rules, row.allowed)
			}
		})
	}
}

func TestStrictTakesNothingOnTrust(t *testing.T) {
	found := case1{docs: []doc{identity(contract)}}.load(t)
	p := judgeFound(t, found, Options{Strict: true})
	if p.Verdict != NoVerdict || len(p.Undecided) != len(found.Subjects[0].Assumptions) {
		t.Errorf("%s with %d open questions", p.Verdict, len(p.Undecided))
	}
	broad := Judge(t.Context(), case1{docs: []doc{identity(allow("s3:*", "*")), {policy.Boundary, document(contract)}}}.load(t), Options{})
	if broad.Verdict != WriteOnly || broad.Refused(false) || !broad.Refused(true) {
		t.Errorf("a warning: %s, no %v, strictly no %v", broad.Verdict, broad.Refused(false), broad.Refused(true))
	}
}

func TestALatentWitnessNamesAllThatStopsIt(t *testing.T) {
	p := case1{docs: []doc{
		identity(allow("s3:*", "*")), {policy.Boundary, document(contract)},
		{policy.BucketPolicy, document(`{"Sid": "Guard", "Effect": "Deny", "Principal": "*", "NotAction": "s3:PutObject", "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]}`)},
	}}.judge(t)
	f := finding(t, p, RuleBroadPolicy)
	if f.Severity != Warning || !f.Witness.Latent || f.Witness.Action != "s3:GetObject" || !strings.HasPrefix(f.Witness.Resource, "arn:aws:s3:::b/") {
		t.Errorf("%+v", f.Witness)
	}
	var stops []string
	for _, s := range f.Stops {
		stops = append(stops, string(s.Layer)+" "+s.Sid)
	}
	if strings.Join(stops, ", ") != "bucket-policy Guard, boundary " || f.Because[0].Line != 2 {
		t.Errorf("stopped by %q, allowed at line %d", stops, f.Because[0].Line)
	}
	if len(p.Grants) != 1 || p.Grants[0].Action != putObject || p.Grants[0].Resource != "arn:aws:s3:::b/p/*" {
		t.Errorf("granted in effect: %+v", p.Grants)
	}
}

func TestTheConditionOfTheGrantIsTold(t *testing.T) {
	p := case1{docs: []doc{identity(allow("s3:PutObject", "arn:aws:s3:::b/p/*", `"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}`))}}.judge(t)
	if p.Verdict != WriteOnly || len(p.Environment["aws:SourceIp"]) != 1 || len(p.Grants) != 1 || len(p.Grants[0].Conditions["IpAddress"]["aws:SourceIp"]) != 1 {
		t.Errorf("%s as long as %v: %+v", p.Verdict, p.Environment, p.Grants)
	}
}

func TestAQuarantinedKeyIsTold(t *testing.T) {
	found := case1{docs: []doc{identity(contract)}}.load(t)
	set := &found.Subjects[0].Set
	document, err := policy.Parse("q", []byte(document(deny("s3:GetObject", "*"))), policy.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	set.Sources = append(set.Sources, policy.Source{Kind: policy.UserManaged, Name: "q", ARN: "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3", Document: document})
	p := judgeFound(t, found, Options{})
	if len(p.Notes) != 1 || p.Notes[0].What != NoteQuarantined || p.Notes[0].Source != 1 || p.Verdict != WriteOnly {
		t.Errorf("%s, notes %+v", p.Verdict, p.Notes)
	}
}

func TestWhatCouldNotBeReadIsUndecidedAndNeverSafe(t *testing.T) {
	found := case1{docs: []doc{identity(contract)}}.load(t)
	found.Subjects[0].Gaps = []sources.Gap{{Reason: sources.GapDenied, What: vm, Permission: "iam:ListAttachedUserPolicies", Source: -1}}
	p := judgeFound(t, found, Options{})
	if p.Verdict != NoVerdict || p.Undecided[0].Permission != "iam:ListAttachedUserPolicies" {
		t.Errorf("%s: %+v", p.Verdict, p.Undecided)
	}
	// A violation stays one, whatever else wasn't read.
	found = case1{docs: []doc{identity(contract, allow("s3:GetObject", "*"))}}.load(t)
	found.Subjects[0].Gaps = []sources.Gap{{Reason: sources.GapDenied, What: vm, Source: -1}}
	if p := judgeFound(t, found, Options{}); p.Verdict != Violation {
		t.Error(p.Verdict)
	}
}

// Whether it can write isn't told while what may allow it wasn't read.
func TestWritingIsNotMissedWhereItsPolicyWasNotRead(t *testing.T) {
	gap := func(reason sources.GapReason, call string) sources.Gap {
		return sources.Gap{Reason: reason, What: vm, Call: call, Source: -1}
	}
	part := `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/p/logs/*"}`
	for _, row := range []struct {
		name   string
		docs   []doc
		gap    sources.Gap
		missed bool
		want   Verdict
	}{
		{"its only policy", []doc{identity(allow("s3:AbortMultipartUpload", "arn:aws:s3:::b/p/*"))}, gap(sources.GapDenied, "iam:GetUserPolicy"), false, NoVerdict},
		{"itself", []doc{identity(allow("s3:AbortMultipartUpload", "arn:aws:s3:::b/p/*"))}, gap(sources.GapFailed, "iam:GetUser"), false, NoVerdict},
		{"the rest of its prefix", []doc{identity(part)}, gap(sources.GapUnknownPolicy, ""), false, NoVerdict},
		{"the bucket's policy", []doc{identity(part)}, gap(sources.GapFailed, "s3:GetBucketPolicy"), false, NoVerdict},
		{"the bucket's ACL", []doc{identity(part)}, gap(sources.GapFailed, "s3:GetBucketAcl"), true, Violation},
		{"other roles", []doc{identity(part)}, gap(sources.GapDenied, "iam:ListRoles"), true, Violation},
	} {
		found := case1{docs: row.docs}.load(t)
		found.Subjects[0].Gaps = []sources.Gap{row.gap}
		p := judgeFound(t, found, Options{})
		missed := slices.ContainsFunc(p.Findings, func(f Finding) bool { return f.Rule == RuleCannotWrite })
		if p.Verdict != row.want || missed != row.missed {
			t.Errorf("%s: %s, missed %v: %+v", row.name, p.Verdict, missed, p.Findings)
		}
	}
}

// Who may write and not use the bucket's key can't write there; that is noted.
func TestTheBucketsKeyMustBeUsable(t *testing.T) {
	const key = "arn:aws:kms:eu-west-1:111122223333:key/k1"
	for _, row := range []struct {
		name, key, more string
		noted           bool
	}{
		{"no key", "", `{"Effect": "Deny", "Action": "kms:*", "Resource": "*"}`, false},
		{"not allowed", key, `{"Effect": "Deny", "Action": "s3:Get*", "Resource": "*"}`, true},
		{"allowed", key, allow("kms:GenerateDataKey", key), false},
		{"another key", key, allow("kms:GenerateDataKey", key+"2"), true},
		{"denied", key, allow("kms:GenerateDataKey", "*") + `, {"Effect": "Deny", "Action": "kms:*", "Resource": "*"}`, true},
	} {
		found := case1{docs: []doc{identity(contract, row.more)}}.load(t)
		found.Subjects[0].Key = row.key
		p := judgeFound(t, found, Options{Allow: []string{"kms:GenerateDataKey"}})
		noted := slices.ContainsFunc(p.Notes, func(n Note) bool { return n.What == NoteKeyDenied && n.Name == key })
		if noted != row.noted {
			t.Errorf("%s: notes %+v", row.name, p.Notes)
		}
	}
}

func TestACanceledAuditIsUndecided(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report := Judge(ctx, case1{docs: []doc{identity(contract)}}.load(t), Options{})
	if report.Verdict != NoVerdict || !report.Undecided() {
		t.Error(report.Verdict)
	}
}

func TestTheReportTakesTheWorstVerdict(t *testing.T) {
	for _, row := range []struct {
		of   []Verdict
		want Verdict
		no   bool
		open bool
	}{
		{nil, NoVerdict, false, true}, {[]Verdict{WriteOnly}, WriteOnly, false, false}, {[]Verdict{WriteOnly, Waived}, Waived, false, false},
		{[]Verdict{Waived, NoVerdict}, NoVerdict, false, true}, {[]Verdict{NoVerdict, NoAccess}, NoAccess, true, true},
		{[]Verdict{NoAccess, Violation, WriteOnly}, Violation, true, false},
	} {
		r := &Report{}
		for _, v := range row.of {
			r.Principals = append(r.Principals, Principal{Verdict: v})
		}
		r.conclude()
		if r.Verdict != row.want || r.Refused(false) != row.no || r.Undecided() != row.open {
			t.Errorf("%v: %s, no %v, open %v", row.of, r.Verdict, r.Refused(false), r.Undecided())
		}
	}
}
