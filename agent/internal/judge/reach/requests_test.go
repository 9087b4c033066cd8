package reach

import (
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/decide"
	"buzon/agent/policy"
)

// underCondition is an Allow of reading the bucket, under one condition.
func underCondition(condition string) string {
	return `{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::slot/*", "Condition": {` + condition + `}}`
}

// TestRequestsThatCantBeMade: a key that no request of the principal holds is
// absent, and nothing else is.
func TestRequestsThatCantBeMade(t *testing.T) {
	user, role, session := theUser(), theRole(), theSession()
	both := []*policy.Subject{&user, &role, &session}
	roles := []*policy.Subject{&role, &session}
	for _, tr := range []struct {
		name      string
		condition string
		subjects  []*policy.Subject
		want      Kind
	}{
		{"a service's own call", `"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}`, both, Nothing},
		{"… by its account", `"StringEquals": {"aws:SourceAccount": "111122223333"}`, both, Nothing},
		{"… by its organization", `"ForAnyValue:StringLike": {"aws:SourceOrgPaths": "*"}`, both, Nothing},
		{"… unless a service calls", `"Null": {"aws:SourceArn": "true"}`, both, Found},
		{"… or it is somebody else's", `"StringNotEquals": {"aws:SourceAccount": "111122223333"}`, both, Found},
		{"credentials of an instance", `"NumericEquals": {"ec2:RoleDelivery": "2.0"}`, []*policy.Subject{&user}, Nothing},
		{"… of a role", `"NumericEquals": {"ec2:RoleDelivery": "2.0"}`, roles, Found},
		{"federation", `"StringLike": {"aws:FederatedProvider": "*"}`, []*policy.Subject{&user}, Nothing},
		{"… of a role", `"StringLike": {"aws:FederatedProvider": "*"}`, roles, Found},
		{"a user's session", `"Null": {"aws:TokenIssueTime": "false"}`, both, Found},
		{"a user's own key", `"Null": {"aws:TokenIssueTime": "true"}`, []*policy.Subject{&user}, Found},
		{"a role has no key", `"Null": {"aws:TokenIssueTime": "true"}`, roles, Nothing},
		{"a second factor", `"Bool": {"aws:MultiFactorAuthPresent": "true"}`, both, Found},
		{"… or none", `"Null": {"aws:MultiFactorAuthPresent": "true"}`, []*policy.Subject{&user}, Found},
		{"an access point of the account", `"StringEquals": {"s3:DataAccessPointAccount": "111122223333"}`, both, Nothing},
		{"an access point's network", `"StringEquals": {"s3:AccessPointNetworkOrigin": "VPC"}`, both, Nothing},
		{"not through an access point", `"Null": {"s3:DataAccessPointArn": "true"}`, both, Found},
	} {
		for _, s := range tr.subjects {
			set := makeSet(t, *s, doc{own(*s), underCondition(tr.condition)})
			a := engine(set).Find(on("s3:GetObject", "arn:aws:s3:::slot/*"))
			if a.Kind != tr.want {
				t.Errorf("%s, %s: %d, want %d: %+v", tr.name, s.Type, a.Kind, tr.want, a)
			}
			if a.Kind == Found && replay(set, a.Witness) != decide.Allowed {
				t.Errorf("%s, %s: the witness %+v is refused", tr.name, s.Type, a.Witness)
			}
		}
	}
}

func own(s policy.Subject) string {
	if s.Type == policy.User {
		return "user-inline"
	}
	return "role-inline"
}

// delegation leaves a bucket to the policies of its access points (S3 User Guide,
// "Configuring IAM policies for using access points").
const delegation = `{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "*", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"],
	"Condition": {"StringEquals": {"s3:DataAccessPointAccount": "111122223333"}}}`

// TestDelegationToAccessPoints: what a bucket leaves to its access points is
// allowed through them alone, and only as far as theirs allow it.
func TestDelegationToAccessPoints(t *testing.T) {
	const point = "arn:aws:s3:eu-west-1:111122223333:accesspoint/door"
	forUser := func(principal, actions string) doc {
		return doc{"access-point " + point + " arn:aws:s3:::slot",
			`{"Effect": "Allow", "Principal": ` + principal + `, "Action": [` + actions + `], "Resource": ["` + point + `", "` + point + `/object/*"]}`}
	}
	me := `{"AWS": "` + user + `"}`
	for _, tr := range []struct {
		name   string
		docs   []doc
		action string
		want   Kind
	}{
		{"no access point", nil, "s3:GetObject", Nothing},
		{"none for the user", []doc{forUser(`{"AWS": "arn:aws:iam::111122223333:user/x"}`, `"s3:*"`)}, "s3:GetObject", Nothing},
		{"one for the user", []doc{forUser(me, `"s3:GetObject"`)}, "s3:GetObject", Found},
		{"… and nothing else", []doc{forUser(me, `"s3:GetObject"`)}, "s3:DeleteObject", Nothing},
		{"… nor the list", []doc{forUser(me, `"s3:GetObject"`)}, "s3:ListBucket", Nothing},
		{"… nor its policy", []doc{forUser(me, `"s3:GetObject"`)}, "s3:PutBucketPolicy", Nothing},
	} {
		t.Run(tr.name, func(t *testing.T) {
			set := makeSet(t, theUser(), append([]doc{{"user-inline", allowPut}, inBucket(delegation)}, tr.docs...)...)
			a := engine(set).Find(Question{Actions: []string{tr.action}})
			if a.Kind != tr.want {
				t.Fatalf("%d, want %d: %+v", a.Kind, tr.want, a)
			}
			if a.Kind == Found && (replay(set, a.Witness) != decide.Allowed || a.Witness.Bucket == "") {
				t.Errorf("the witness %+v is refused", a.Witness)
			}
		})
	}
}

// TestRootNeedsNoStatement: where no statement allows what root may, none is named, also
// where only keys that exclude each other are left.
func TestRootNeedsNoStatement(t *testing.T) {
	root := theUser()
	root.Type, root.ARN, root.UniqueID, root.Name, root.Path = policy.Root, "arn:aws:iam::111122223333:root", "", "root", ""
	without := func(keys ...string) doc {
		var all []string
		for _, key := range keys {
			all = append(all, `{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "arn:aws:s3:::slot/*", "Condition": {"Null": {"`+key+`": "true"}}}`)
		}
		return inBucket(strings.Join(all, ", "))
	}
	variable := `{"Effect": "Deny", "Principal": "*", "Action": "*", "NotResource": "arn:aws:s3:::slot/${s3:x-amz-acl}", "Condition": {"Null": {"aws:SourceIp": "true"}}}`
	for _, tr := range []struct {
		name string
		docs []doc
		want Kind
	}{
		{"nothing stands against it", nil, Found},
		{"one key must be there", []doc{without("aws:SourceVpce")}, Found},
		{"two must, which exclude each other", []doc{without("aws:SourceIp", "aws:SourceVpce")}, Unknown},
		{"a variable that isn't known", []doc{inBucket(variable)}, Found},
	} {
		t.Run(tr.name, func(t *testing.T) {
			set := makeSet(t, root, tr.docs...)
			e := engine(set)
			q := on("s3:GetObject", "arn:aws:s3:::slot/*")
			a := e.Find(q)
			if a.Kind != tr.want {
				t.Fatalf("%d, want %d: %+v", a.Kind, tr.want, a)
			}
			if a.Kind == Found && replay(set, a.Witness) != decide.Allowed {
				t.Errorf("the witness %+v is refused", a.Witness)
			}
			if refs, _ := e.Granting(q); len(refs) > 0 || len(a.Because) > 0 {
				t.Errorf("granted by %v, because of %v", refs, a.Because)
			}
		})
	}
}

// TestAnAccessPointIsSomebodys: a request through an access point holds its account and its
// ARN, whatever else is known of it.
func TestAnAccessPointIsSomebodys(t *testing.T) {
	const theirs = "arn:aws:s3:eu-west-1:444455556666:accesspoint/gate/object/*"
	read := func(resource, condition string) doc {
		return doc{"user-inline", `{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "` + resource + `", "Condition": {` + condition + `}}`}
	}
	for _, tr := range []struct {
		name string
		docs []doc
		want Kind
	}{
		{"theirs, if not theirs", []doc{read(theirs, `"StringNotEquals": {"s3:DataAccessPointAccount": "444455556666"}`)}, Nothing},
		{"any, within a boundary of theirs, if not theirs", []doc{
			read("*", `"StringNotEqualsIgnoreCase": {"s3:DataAccessPointAccount": "444455556666"}`),
			{"boundary", `{"Effect": "Allow", "Action": "*", "Resource": "` + theirs + `"}`},
		}, Nothing},
		{"theirs, if through none", []doc{read(theirs, `"Null": {"s3:DataAccessPointAccount": "true"}`)}, Nothing},
		{"theirs, if the ARN is absent", []doc{read(theirs, `"Null": {"s3:DataAccessPointArn": "true"}`)}, Nothing},
		{"our own, if through none", []doc{read("arn:aws:s3:eu-west-1:111122223333:accesspoint/*", `"Null": {"s3:DataAccessPointArn": "true"}`)}, Nothing},
		{"theirs, if theirs", []doc{read(theirs, `"StringEquals": {"s3:DataAccessPointAccount": "444455556666"}`)}, Found},
		{"theirs, if not ours", []doc{read(theirs, `"StringNotEquals": {"s3:DataAccessPointAccount": "111122223333"}`)}, Found},
		{"an object, if not theirs", []doc{read("arn:aws:s3:::other/*", `"StringNotEquals": {"s3:DataAccessPointAccount": "444455556666"}`)}, Found},
	} {
		t.Run(tr.name, func(t *testing.T) {
			set := makeSet(t, theUser(), tr.docs...)
			a := engine(set).Find(Question{Actions: []string{"s3:GetObject"}})
			if a.Kind != tr.want {
				t.Fatalf("%d, want %d: %+v", a.Kind, tr.want, a)
			}
			if a.Kind == Found && replay(set, a.Witness) != decide.Allowed {
				t.Errorf("the witness %+v is refused", a.Witness)
			}
		})
	}
}

// TestNotPrincipalDeniesWhoeverHasABoundary, whatever it names (IAM User Guide,
// "Permissions boundaries for IAM entities").
func TestNotPrincipalDeniesWhoeverHasABoundary(t *testing.T) {
	for _, s := range []policy.Subject{theUser(), theRole(), theSession()} {
		named := `{"AWS": ["` + s.ARN + `", "` + role + `", "arn:aws:iam::111122223333:root"]}`
		deny := inBucket(`{"Effect": "Deny", "NotPrincipal": ` + named + `, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::slot/*"}`)
		allow := doc{own(s), allowPut}
		for _, tr := range []struct {
			docs []doc
			want Kind
		}{
			{[]doc{allow, deny, {"boundary", allowPut}}, Nothing},
			{[]doc{allow, deny, {"boundary", allowAll}}, Nothing},
			{[]doc{allow, {"boundary", allowPut}}, Found},
		} {
			set := makeSet(t, s, tr.docs...)
			e := engine(set)
			if a := e.Find(on("s3:PutObject", "arn:aws:s3:::slot/*")); a.Kind != tr.want {
				t.Errorf("%s with %v: %+v", s.Type, tr.docs, a)
			}
			if got := decide.Decide(set, decide.Request{Action: "s3:PutObject", Resource: "arn:aws:s3:::slot/uploads/vm-01/x"}); (got.Outcome == decide.Allowed) != (tr.want == Found) {
				t.Errorf("%s with %v: decide says %v", s.Type, tr.docs, got.Outcome)
			}
		}
		// What is left when the boundary is taken away is told by the names again.
		if s.Type == policy.User {
			set := makeSet(t, s, allow, deny, doc{"boundary", allowPut})
			e := New(set, Options{Now: engine(set).now, Without: Without{Kinds: []policy.Kind{policy.Boundary}}})
			if a := e.Find(on("s3:PutObject", "arn:aws:s3:::slot/*")); a.Kind != Found {
				t.Errorf("without the boundary: %+v", a)
			}
		}
	}
}

// TestQuestionsWithAKey: a key that must be there is, and what denies it counts.
func TestQuestionsWithAKey(t *testing.T) {
	q := on("s3:PutObject", "arn:aws:s3:::slot/*")
	q.Present = []string{"aws:tokenissuetime"}
	sessions := `{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"Null": {"aws:TokenIssueTime": "false"}}}`
	for _, tr := range []struct {
		name string
		docs []doc
		want Kind
	}{
		{"nothing denies sessions", nil, Found},
		{"they are denied", []doc{{"user-inline", sessions}}, Nothing},
		{"old ones are", []doc{{"user-inline", `{"Effect": "Deny", "Action": "*", "Resource": "*",
			"Condition": {"DateLessThan": {"aws:TokenIssueTime": "2026-11-01T00:00:00Z"}}}`}}, Found},
		{"the bucket denies them", []doc{inBucket(`{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::slot/*",
			"Condition": {"Null": {"aws:TokenIssueTime": "false"}}}`)}, Nothing},
	} {
		set := makeSet(t, theUser(), append(tr.docs, doc{"user-inline", allowPut})...)
		a := engine(set).Find(q)
		if a.Kind != tr.want {
			t.Errorf("%s: %+v", tr.name, a)
		}
		if a.Kind == Found && (len(a.Witness.Context["aws:tokenissuetime"]) != 1 || replay(set, a.Witness) != decide.Allowed) {
			t.Errorf("%s: the witness is %+v", tr.name, a.Witness)
		}
		if a := engine(set).Find(on("s3:PutObject", "arn:aws:s3:::slot/*")); a.Kind != Found {
			t.Errorf("%s: with its own key: %+v", tr.name, a)
		}
	}
	q.Present = []string{"aws:sourcearn"}
	if a := engine(makeSet(t, theUser(), doc{"user-inline", allowPut})).Find(q); a.Kind != Nothing {
		t.Errorf("a key that no request holds: %+v", a)
	}
}

// TestGranting: of several statements each that grants is named, and none else.
func TestGranting(t *testing.T) {
	statement := func(effect, action, resource string) string {
		return `{"Effect": "` + effect + `", "Action": "` + action + `", "Resource": "` + resource + `"}`
	}
	const all = "arn:aws:s3:::slot/*"
	set := makeSet(t, theUser(),
		doc{"user-inline", statement("Allow", "s3:GetObject", "arn:aws:s3:::slot/a/*") + "," + statement("Allow", "s3:PutObject", all) + "," +
			statement("Allow", "s3:Get*", "arn:aws:s3:::slot/secret/*") + "," + statement("Deny", "s3:*", "arn:aws:s3:::slot/secret/*")},
		doc{"group-inline", statement("Allow", "s3:*", "arn:aws:s3:::slot/b/*")},
		inBucket(`{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObjectVersion", "Resource": "`+all+`"}`),
		inBucket(`{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "s3:GetObject", "Resource": "`+all+`"}`),
		doc{"user-managed", statement("Allow", "s3:GetObjectAcl", "*") + "," + statement("Allow", "s3:GetObjectTorrent", "*")},
		doc{"boundary", `{"Effect": "Allow", "NotAction": "s3:GetObjectTorrent", "Resource": "*"}`},
	)
	for _, tr := range []struct {
		actions []string
		want    []policy.Reference
	}{
		{[]string{"s3:GetObject"}, []policy.Reference{{Source: 0}, {Source: 1}}},
		{[]string{"s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAcl"}, []policy.Reference{{Source: 0}, {Source: 1}, {Source: 2}, {Source: 4}}},
		{[]string{"s3:GetObjectTorrent"}, nil},
		{[]string{"s3:PutObject"}, []policy.Reference{{Source: 0, Statement: 1}, {Source: 1}}},
	} {
		got, whole := engine(set).Granting(Question{Actions: tr.actions, Resources: Under(all)})
		if !whole || !slices.Equal(got, tr.want) {
			t.Errorf("%v: %v, want %v", tr.actions, got, tr.want)
		}
	}
}

// TestWhomABucketNames: what S3 hands back and nobody here is means nobody here.
func TestWhomABucketNames(t *testing.T) {
	const cloudfront = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity EH1HDMB1FH2TC"
	for _, tr := range []struct {
		principal string
		want      Kind
	}{
		{`{"AWS": "` + cloudfront + `"}`, Nothing},
		{`{"AWS": ["AIDAEXAMPLEDELETED001", "AROAEXAMPLEDELETED001"]}`, Nothing},
		{`{"CanonicalUser": "` + strings.Repeat("0f", 32) + `"}`, Nothing}, // at most the account, which grants nothing by itself
		{`{"AWS": ["` + cloudfront + `", "` + user + `"]}`, Found},
	} {
		set := makeSet(t, theUser(), inBucket(`{"Effect": "Allow", "Principal": `+tr.principal+`, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::slot/*"}`))
		if a := engine(set).Find(on("s3:GetObject", "arn:aws:s3:::slot/*")); a.Kind != tr.want {
			t.Errorf("%s: %+v", tr.principal, a)
		}
	}
	set := templateSet(t, doc{"bucket-policy arn:aws:s3:::<B>", `{"Effect": "Allow", "Principal": {"AWS": "` + cloudfront + `"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::<B>/*"}`})
	set.Subject.ARN, set.Subject.Name = "arn:aws:iam::\U000F0001:user/\U000F0000", "\U000F0000"
	if a := engine(set).Find(Question{Actions: []string{"s3:GetObject"}}); a.Kind != Nothing {
		t.Errorf("of a user whose name nobody knows: %+v", a)
	}
}

// TestWitnessesThatAreEasyToRead: on the bucket in question before all others, by
// the best known action, and on a resource that can be.
func TestWitnessesThatAreEasyToRead(t *testing.T) {
	tls := inBucket(`{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"],
		"Condition": {"Bool": {"aws:SecureTransport": "false"}}}`)
	endpoint := inBucket(`{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"],
		"Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}`)
	reads := []string{"s3:GetDataAccess", "s3:GetObjectTagging", "s3:GetObject", "s3-object-lambda:GetObject"}
	deletes := []string{"s3-object-lambda:DeleteObject", "s3:DeleteObject"}
	for _, tr := range []struct {
		docs    []doc
		actions []string
		want    string
	}{
		{nil, reads, "s3:GetObject"},
		{[]doc{tls}, reads, "s3:GetObject"},
		{[]doc{tls}, deletes, "s3:DeleteObject"},
		{[]doc{tls, endpoint}, reads, "s3:GetObject"},
	} {
		a := engine(makeSet(t, theUser(), append(tr.docs, doc{"user-inline", allowS3})...)).Find(Question{Actions: tr.actions})
		if a.Witness.Action != tr.want || !strings.HasPrefix(a.Witness.Resource, "arn:aws:s3:::slot/") {
			t.Errorf("%+v", a.Witness)
		}
	}
	const account = "\U000F0001"
	set := templateSet(t, doc{"user-inline", grantOf(`"iam:*"`, "arn:aws:iam::<C>:role/<B>")})
	a := engine(set).Find(Question{Actions: []string{"iam:~"}, Resources: Except("arn:aws:iam::*:role/*")})
	if parts := policy.Segments(a.Witness.Resource); a.Kind == Found && (strings.Contains(parts[2], account) || strings.Contains(parts[3], account)) {
		t.Errorf("%q", a.Witness.Resource)
	}
}
