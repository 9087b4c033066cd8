package reach

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/policy"
)

// appendOnly is the guard's statement that asks for If-None-Match.
const appendOnly = `{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::slot/*", "Condition": {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}}`

func TestCovers(t *testing.T) {
	guard := func(conditions string) doc {
		return inBucket(`{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"], "Condition": {` + conditions + `}}`)
	}
	put := doc{"user-inline", allowPut}
	putIf := func(conditions string) doc {
		return doc{"user-inline", strings.Replace(allowPut, `/*"`, `/*", "Condition": {`+conditions+`}`, 1)}
	}
	for _, tr := range []struct {
		name    string
		docs    []doc
		subject *policy.Subject
		want    Cover
		env     map[string]string
		missing string
	}{
		{name: "all of it", docs: []doc{put}, want: Full},
		{name: "nothing", docs: nil, want: None, missing: "arn:aws:s3:::slot/uploads/vm-01/"},
		{name: "the agent speaks TLS", docs: []doc{put, guard(`"Bool": {"aws:SecureTransport": "false"}`)}, want: Full},
		{name: "the agent sends If-None-Match", docs: []doc{put, inBucket(appendOnly)}, want: Full},
		{name: "… which the steps before can't", docs: []doc{put, inBucket(strings.Replace(appendOnly, `, "Bool": {"s3:ObjectCreationOperation": "true"}`, "", 1))}, want: None},
		{name: "the official pair of Allows", docs: []doc{putIf(`"Null": {"s3:if-none-match": "false"}`), putIf(`"Bool": {"s3:ObjectCreationOperation": "false"}`)}, want: Full},
		{name: "the agent sends no ACL", docs: []doc{putIf(`"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}`)}, want: None},
		{name: "an ACL may be absent", docs: []doc{putIf(`"StringEqualsIfExists": {"s3:x-amz-acl": "private"}`)}, want: Full},
		{name: "from one network", docs: []doc{putIf(`"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}`)}, want: Full, env: map[string]string{"aws:sourceip": "198.51.100.0"}},
		{name: "through one endpoint", docs: []doc{put, guard(`"StringNotEquals": {"aws:SourceVpce": "vpce-1"}`)}, want: Full, env: map[string]string{"aws:sourcevpce": "vpce-1"}},
		{name: "from a network and through an endpoint", docs: []doc{put, guard(`"StringNotEquals": {"aws:SourceVpce": "vpce-1"}, "NotIpAddress": {"aws:SourceIp": "198.51.100.7"}`)}, want: Full},
		{name: "both can't be", docs: []doc{put, guard(`"StringNotEquals": {"aws:SourceVpce": "vpce-1"}`), guard(`"NotIpAddress": {"aws:SourceIp": "198.51.100.7"}`)}, want: None},
		{name: "two halves in two networks", docs: []doc{
			{"user-inline", `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::slot/uploads/vm-01/a*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}`},
			{"user-inline", `{"Effect": "Allow", "Action": "s3:PutObject", "NotResource": "arn:aws:s3:::slot/uploads/vm-01/a*", "Condition": {"IpAddress": {"aws:SourceIp": "11.0.0.0/8"}}}`}}, want: Part},
		{name: "two halves in networks that meet", docs: []doc{
			{"user-inline", `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::slot/uploads/vm-01/a*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}`},
			{"user-inline", `{"Effect": "Allow", "Action": "s3:PutObject", "NotResource": "arn:aws:s3:::slot/uploads/vm-01/a*", "Condition": {"IpAddress": {"aws:SourceIp": "10.7.0.0/16"}}}`}}, want: Full, env: map[string]string{"aws:sourceip": "10.7.0.0"}},
		{name: "only a part", docs: []doc{{"user-inline", `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::slot/uploads/vm-01/*.csv"}`}}, want: Part},
		{name: "a Deny in the middle", docs: []doc{put, inBucket(`{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::slot/*/old/*"}`)}, want: Part, missing: "arn:aws:s3:::slot/uploads/vm-01/old/"},
		{name: "until it ends", docs: []doc{putIf(`"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}`)}, want: Full, env: map[string]string{"aws:currenttime": "2026-11-24T00:00:00Z"}},
		{name: "it has ended", docs: []doc{putIf(`"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}`)}, want: None},
		{name: "a boundary that lets through", docs: []doc{put, {"boundary", allowAll}}, want: Full},
		{name: "a boundary that doesn't", docs: []doc{put, {"boundary", `{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}`}}, want: None},
		{name: "the value of a session", subject: ptr(theRole()), docs: []doc{{"role-inline", `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::slot/uploads/${aws:userid}/*"}`}}, want: Open},
	} {
		t.Run(tr.name, func(t *testing.T) {
			subject := theUser()
			if tr.subject != nil {
				subject = *tr.subject
			}
			set := makeSet(t, subject, tr.docs...)
			c := engine(set).Covers(prefix, AgentCalls())
			if c.Kind != tr.want {
				t.Fatalf("%d, want %d: %+v", c.Kind, tr.want, c)
			}
			for key, value := range tr.env {
				if !slices.Equal(c.Environment[key], []string{value}) {
					t.Errorf("the environment is %v, want %s=%s", c.Environment, key, value)
				}
			}
			if tr.want == Full && len(c.Environment) > 0 && len(tr.env) == 0 && !strings.Contains(tr.name, "network") {
				t.Errorf("the environment is %v", c.Environment)
			}
			if tr.missing != "" && c.Missing != tr.missing {
				t.Errorf("missing %s, want %s", c.Missing, tr.missing)
			}
			replayCover(t, set, c)
		})
	}
}

// replayCover asks decide whether some objects can be written in the environment,
// and whether what is missing can't.
func replayCover(t *testing.T, set *policy.Set, c Coverage) {
	t.Helper()
	allowed := func(resource string) bool {
		for _, call := range AgentCalls() {
			context := maps.Clone(call.Context)
			maps.Copy(context, c.Environment)
			if decide.Decide(set, decide.Request{Action: call.Action, Resource: resource, Context: context}).Outcome != decide.Allowed {
				return false
			}
		}
		return true
	}
	if c.Kind == Full {
		for _, key := range []string{"a", "b/c", "old/x", "x.csv", "é"} {
			if !allowed("arn:aws:s3:::slot/uploads/vm-01/" + key) {
				t.Errorf("decide doesn't allow %s in %v", key, c.Environment)
			}
		}
	}
	if c.Missing != "" && allowed(c.Missing) {
		t.Errorf("decide allows %s, which is said to be missing", c.Missing)
	}
}

func TestGrantsAreWhatIsLeft(t *testing.T) {
	set := makeSet(t, theUser(),
		doc{"user-inline", `{"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject", "s3:HeadObject", "ec2:Describe*"], "Resource": ["arn:aws:s3:::slot/p/*", "arn:aws:s3:::slot/q/*", "arn:aws:s3:::slot"]},
			{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
			{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}`},
		doc{"boundary", `{"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::slot/q/*"}`},
		inBucket(`{"Effect": "Allow", "Principal": {"AWS": "`+user+`"}, "Action": "s3:PutObjectTagging", "Resource": "arn:aws:s3:::slot/q/*"}`))
	var got []string
	for _, g := range engine(set).Grants() {
		got = append(got, fmt.Sprintf("%s on %s by %v", g.Action, g.Resource, g.Because))
	}
	want := []string{
		"s3:PutObject on arn:aws:s3:::slot/p/* by {0 0}",
		"s3:HeadObject on arn:aws:s3:::slot/p/* by {0 0}",
		"s3:HeadObject on arn:aws:s3:::slot by {0 0}",
		"s3:PutObjectTagging on arn:aws:s3:::slot/q/* by {2 0}",
	}
	if !slices.Equal(got, want) {
		t.Errorf("granted:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestStoppedNamesWhatStops(t *testing.T) {
	set := makeSet(t, theUser(),
		doc{"user-inline", allowS3},
		doc{"boundary", allowPut},
		doc{"scp", allowPut},
		inBucket(`{"Effect": "Deny", "Principal": "*", "NotAction": "s3:PutObject", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"]}`))
	read := Witness{Action: "s3:GetObject", Resource: "arn:aws:s3:::slot/x"}
	got := engine(set).Stopped(read)
	if !slices.Equal(got.Denies, []policy.Reference{{Source: 3, Statement: 0}}) || !slices.Equal(got.Layers, []policy.Kind{policy.Boundary, policy.SCP}) {
		t.Errorf("stopped by %+v", got)
	}
	write := Witness{Action: "s3:PutObject", Resource: "arn:aws:s3:::slot/uploads/vm-01/x"}
	if got := engine(set).Stopped(write); len(got.Denies)+len(got.Layers) > 0 {
		t.Errorf("what is allowed is stopped by %+v", got)
	}
	other := makeSet(t, theUser(), doc{"user-inline", allowPut})
	if got := engine(other).Stopped(read); len(got.Denies) > 0 || !slices.Equal(got.Layers, []policy.Kind{policy.UserInline}) {
		t.Errorf("what nobody grants is stopped by %+v", got)
	}
}

func TestWhatIsLeftOutDoesNotCount(t *testing.T) {
	set := makeSet(t, theUser(),
		doc{"user-inline", allowS3 + `, {"Effect": "Deny", "Action": "s3:ListBucket", "Resource": "*"}`},
		doc{"boundary", allowPut},
		inBucket(`{"Effect": "Deny", "Principal": "*", "NotAction": "s3:PutObject", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"]}`))
	guard := policy.Reference{Source: 2}
	for _, tr := range []struct {
		name    string
		without Without
		read    Kind
		list    Kind
	}{
		{"nothing", Without{}, Nothing, Nothing},
		{"the boundary", Without{Kinds: []policy.Kind{policy.Boundary}}, Nothing, Nothing},
		{"the guard's Denies", Without{Denies: []int{2}}, Nothing, Nothing},
		{"boundary and guard", Without{Kinds: []policy.Kind{policy.Boundary}, Denies: []int{2}}, Found, Nothing},
		{"boundary and the guard's statement", Without{Kinds: []policy.Kind{policy.Boundary}, Statements: []policy.Reference{guard}}, Found, Nothing},
		{"boundary and all Denies", Without{Kinds: []policy.Kind{policy.Boundary}, AllDenies: true}, Found, Found},
		{"boundary and the bucket's policy", Without{Kinds: []policy.Kind{policy.Boundary, policy.BucketPolicy}}, Found, Nothing},
	} {
		e := New(set, Options{Now: judgetest.Now, Without: tr.without})
		if a := e.Find(on("s3:GetObject", bucket+"/*")); a.Kind != tr.read {
			t.Errorf("without %s: reading is %d", tr.name, a.Kind)
		}
		if a := e.Find(on("s3:ListBucket", bucket)); a.Kind != tr.list {
			t.Errorf("without %s: listing is %d", tr.name, a.Kind)
		}
	}
}

func TestBeyondTheBudgetNothingIsProven(t *testing.T) {
	var denies strings.Builder
	for i := range 12 {
		fmt.Fprintf(&denies, `, {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::*%c*%c*", "Condition": {"StringEquals": {"aws:UserAgent": "%d"}}}`, 'a'+i, 'z'-i, i)
	}
	set := makeSet(t, theUser(), doc{"user-inline", allowAll + denies.String()})
	for _, budget := range []Budget{{States: 30}, {Boxes: 3}} {
		e := New(set, Options{Now: judgetest.Now, Budget: budget})
		a := e.Find(on("s3:GetObject", bucket+"/*"))
		if a.Kind != Unknown || len(a.Doubts) != 1 || a.Doubts[0].Reason != OverBudget || !slices.Equal(a.Actions, []string{"s3:GetObject"}) {
			t.Errorf("%+v: %+v", budget, a)
		}
		if c := e.Covers(prefix, AgentCalls()); c.Kind == None || c.Kind == Part {
			t.Errorf("%+v: %+v", budget, c)
		}
	}
	if a := find(t, set, on("s3:GetObject", bucket+"/*")); a.Kind != Found {
		t.Errorf("within the budget: %+v", a)
	}
}

// TestHardPoliciesEnd is about patterns and conditions that no budget suffices
// for: the answer is Unknown, and there is one.
func TestHardPoliciesEnd(t *testing.T) {
	var denies strings.Builder
	keys := []string{"aws:UserAgent", "aws:Referer", "aws:SourceVpc", "aws:RequestedRegion", "aws:SourceIdentity", "aws:TagKeys"}
	for i := range 40 {
		pattern := ""
		for j := range 8 {
			pattern += "*" + string(rune('a'+(i*7+j*(i+3))%26)) + "?"
		}
		fmt.Fprintf(&denies, `, {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::%s*", "Condition": {"StringNotLike": {%q: "*%d*"}, "ForAnyValue:StringLike": {%q: "*%c*"}}}`,
			pattern, keys[i%6], i, keys[(i+1)%6], 'a'+i%26)
	}
	set := makeSet(t, theUser(), doc{"user-inline", allowAll + denies.String()})
	e := engine(set)
	a := e.Find(Question{Resources: Under(bucket + "/*")})
	if a.Kind == Nothing {
		t.Errorf("%+v", a)
	}
	if a.Kind == Found && replay(set, a.Witness) != decide.Allowed {
		t.Errorf("the witness %+v is refused", a.Witness)
	}
	if c := e.Covers(prefix, AgentCalls()); c.Kind == 0 {
		t.Error("no answer")
	}
	if len(e.Grants()) == 0 {
		t.Error("what can't be told doesn't count as granted")
	}
}

func TestALenientStatementLeavesTheAnswerOpen(t *testing.T) {
	parse := func(text string) *policy.Set {
		set := makeSet(t, theUser(), doc{"user-inline", allowPut})
		parsed, err := policy.Parse("lenient", []byte(text), policy.ParseOptions{Grammar: policy.Identity, Lenient: true})
		if err != nil {
			t.Fatal(err)
		}
		set.Sources = append(set.Sources, policy.Source{Kind: policy.UserManaged, Document: parsed})
		return set
	}
	for _, tr := range []struct {
		name, text  string
		read, write Kind
	}{
		{"an Allow", `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Conditions": {}}}`, Unknown, Found},
		{"an Allow with a condition", `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:List*", "Resource": "*", "Condition": {"StringSmells": {"aws:x": "y"}}}}`, Nothing, Found},
		{"a Deny", `{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": {"StringSmells": {"aws:x": "y"}}}}`, Nothing, Unknown},
		{"no effect", `{"Version": "2012-10-17", "Statement": {"Action": "s3:*", "Resource": "*"}}`, Unknown, Unknown},
	} {
		set := parse(tr.text)
		if a := find(t, set, asking("s3:GetObject")); a.Kind != tr.read || a.Kind == Unknown && (a.Doubts[0].Reason != Unclear || a.Doubts[0].Reference.Source != 1) {
			t.Errorf("%s: reading is %+v", tr.name, a)
		}
		if a := find(t, set, on("s3:PutObject", prefix)); a.Kind != tr.write {
			t.Errorf("%s: writing is %+v", tr.name, a)
		}
	}
}

func TestAnAnswerNamesAllActionsInTheQuestionsOrder(t *testing.T) {
	set := makeSet(t, theUser(), doc{"user-inline", `{"Effect": "Allow", "Action": ["s3:Get*", "S3:LISTBUCKET", "s3:Made*"], "Resource": "*"}`})
	a := find(t, set, Question{Actions: []string{"s3:~", "s3:listbucket", "s3:PutObject", "s3:GetObjectAcl", "s3:MadeUp", "s3:GetObject"}})
	want := []string{"s3:~", "s3:ListBucket", "s3:GetObjectAcl", "s3:MadeUp", "s3:GetObject"}
	if !slices.Equal(a.Actions, want) {
		t.Errorf("%q, want %q", a.Actions, want)
	}
	if a.Witness.Action != "s3:GetObject" {
		t.Errorf("the witness is %+v", a.Witness)
	}
}

func TestASetOfNothingReachesNothing(t *testing.T) {
	for _, kind := range []policy.Type{"", policy.User, policy.Role, policy.RoleSession, policy.FederatedUser} {
		e := New(&policy.Set{Subject: policy.Subject{Type: kind}}, Options{})
		if a := e.Find(Question{}); a.Kind != Nothing {
			t.Errorf("%q: %+v", kind, a)
		}
		if c := e.Covers("arn:aws:s3:::slot/*", AgentCalls()); c.Kind != None {
			t.Errorf("%q covers %+v", kind, c)
		}
		e.Stopped(Witness{Action: "s3:GetObject", Resource: "arn:aws:s3:::slot/x"})
		e.Grants()
	}
}
