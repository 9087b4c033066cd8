package decide

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"buzon/agent/internal/judge/judgetest"
	"buzon/agent/policy"
)

const (
	account = judgetest.Account
	other   = judgetest.Stranger
	user    = judgetest.TheUser
	role    = judgetest.TheRole
	slot    = "arn:aws:s3:::slot"
	object  = "arn:aws:s3:::slot/uploads/vm-01/a"
)

type doc = judgetest.Doc

func theUser() policy.Subject    { return judgetest.Subject(user) }
func theRole() policy.Subject    { return judgetest.Subject(role) }
func theSession() policy.Subject { return judgetest.Subject(judgetest.TheSession) }

func makeSet(t testing.TB, subject policy.Subject, docs ...doc) *policy.Set {
	t.Helper()
	return judgetest.Make(t, subject, docs...)
}

const (
	allowPut  = `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::slot/uploads/vm-01/*"}`
	allowAll  = `{"Effect": "Allow", "Action": "*", "Resource": "*"}`
	denyAll   = `{"Effect": "Deny", "Action": "*", "Resource": "*"}`
	allowList = `{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}`
)

func grant(principal string) string {
	return `{"Effect": "Allow", "Principal": ` + principal + `, "Action": "s3:*", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"]}`
}

func refuse(principal string) string { return strings.Replace(grant(principal), "Allow", "Deny", 1) }

func TestTheLayersDecideTogether(t *testing.T) {
	aws := func(name string) string { return `{"AWS": "` + name + `"}` }
	rows := []struct {
		name    string
		subject policy.Subject
		docs    []doc
		want    Outcome
	}{
		{"no document allows nothing", theUser(), nil, ImplicitDeny},
		{"an identity policy allows", theUser(), []doc{{"user-inline", allowPut}}, Allowed},
		{"a group's policy allows", theUser(), []doc{{"group-managed", allowPut}}, Allowed},
		{"a Deny anywhere wins", theUser(), []doc{{"user-inline", allowPut}, {"group-inline", denyAll}}, ExplicitDeny},
		{"a Deny in a boundary wins", theUser(), []doc{{"user-inline", allowPut}, {"boundary", allowAll + "," + denyAll}}, ExplicitDeny},
		{"a boundary that is silent limits", theUser(), []doc{{"user-inline", allowPut}, {"boundary", allowList}}, ImplicitDeny},
		{"a boundary grants nothing", theUser(), []doc{{"boundary", allowAll}}, ImplicitDeny},
		{"a boundary that allows lets through", theUser(), []doc{{"user-inline", allowPut}, {"boundary", allowAll}}, Allowed},
		{"a session policy limits", theSession(), []doc{{"role-inline", allowPut}, {"session", allowList}}, ImplicitDeny},
		{"a session policy grants nothing", theSession(), []doc{{"session", allowAll}}, ImplicitDeny},

		{"SCPs of one level unite", theUser(), []doc{{"user-inline", allowPut}, {"scp", allowList}, {"scp", allowAll}}, Allowed},
		{"levels of SCPs intersect", theUser(), []doc{{"user-inline", allowPut}, {"scp root", allowAll}, {"scp ou", allowList}}, ImplicitDeny},
		{"every level allows", theUser(), []doc{{"user-inline", allowPut}, {"scp root", allowAll}, {"scp ou", allowPut}}, Allowed},
		{"an SCP limits what a bucket grants as well", theUser(), []doc{{"bucket-policy", grant(aws(user))}, {"scp", allowList}}, ImplicitDeny},
		{"an SCP grants nothing", theUser(), []doc{{"scp", allowAll}}, ImplicitDeny},
		{"an RCP that allows grants nothing", theUser(), []doc{{"rcp", `{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}`}}, ImplicitDeny},
		{"an RCP denies", theUser(), []doc{{"user-inline", allowPut}, {"rcp", `{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}`}}, ExplicitDeny},

		{"the user's ARN in the bucket policy grants alone", theUser(), []doc{{"bucket-policy", grant(aws(user))}}, Allowed},
		{"… and no boundary limits it", theUser(), []doc{{"bucket-policy", grant(aws(user))}, {"boundary", allowList}}, Allowed},
		{"… but a Deny in the boundary does", theUser(), []doc{{"bucket-policy", grant(aws(user))}, {"boundary", denyAll}}, ExplicitDeny},
		{"the user's unique id is its ARN", theUser(), []doc{{"bucket-policy", grant(aws("AIDAEXAMPLEEXAMPLE001"))}, {"boundary", allowList}}, Allowed},
		{"another's unique id isn't", theUser(), []doc{{"bucket-policy", grant(aws("AIDAEXAMPLEEXAMPLE002"))}}, ImplicitDeny},
		{"everybody grants alone, boundary or not", theUser(), []doc{{"bucket-policy", grant(`"*"`)}, {"boundary", allowList}}, Allowed},
		{"everybody in AWS is everybody", theUser(), []doc{{"bucket-policy", grant(`{"AWS": "*"}`)}}, Allowed},
		{"the account delegates and grants nothing alone", theUser(), []doc{{"bucket-policy", grant(aws(account))}}, ImplicitDeny},
		{"the account's root is the account", theUser(), []doc{{"bucket-policy", grant(aws("arn:aws:iam::111122223333:root"))}}, ImplicitDeny},
		{"a service is nobody here", theUser(), []doc{{"bucket-policy", grant(`{"Service": "s3.amazonaws.com"}`)}}, ImplicitDeny},
		{"another user's ARN is nobody here", theUser(), []doc{{"bucket-policy", grant(aws(user + "0"))}}, ImplicitDeny},
		{"the case of a name counts", theUser(), []doc{{"bucket-policy", grant(aws("arn:aws:iam::111122223333:user/buzon/VM-01"))}}, ImplicitDeny},
		{"a Deny for the account binds its users", theUser(), []doc{{"user-inline", allowPut}, {"bucket-policy", refuse(aws(account))}}, ExplicitDeny},
		{"a Deny for another account doesn't", theUser(), []doc{{"user-inline", allowPut}, {"bucket-policy", refuse(aws(other))}}, Allowed},

		{"a role's ARN grants to its sessions", theRole(), []doc{{"bucket-policy", grant(aws(role))}}, Allowed},
		{"… but under the boundary", theRole(), []doc{{"bucket-policy", grant(aws(role))}, {"boundary", allowList}}, ImplicitDeny},
		{"… and under the session policy", theSession(), []doc{{"bucket-policy", grant(aws(role))}, {"session", allowList}}, ImplicitDeny},
		{"a session's ARN grants above them", theSession(), []doc{{"bucket-policy", grant(aws(theSession().ARN))}, {"boundary", allowList}, {"session", allowList}}, Allowed},
		{"another session's ARN is nobody here", theSession(), []doc{{"bucket-policy", grant(aws(theSession().ARN + "0"))}}, ImplicitDeny},
		{"of a role, some session is meant", theRole(), []doc{{"bucket-policy", grant(aws(theSession().ARN))}}, Allowed},
		{"… and a Deny for one session doesn't bind all", theRole(), []doc{{"role-inline", allowPut}, {"bucket-policy", refuse(aws(theSession().ARN))}}, Allowed},
		{"a Deny for the role binds its sessions", theSession(), []doc{{"role-inline", allowPut}, {"bucket-policy", refuse(aws(role))}}, ExplicitDeny},

		{"an Allow for all but another is for us", theUser(), []doc{{"bucket-policy", strings.Replace(grant(aws(user+"0")), "Principal", "NotPrincipal", 1)}}, Allowed},
		{"an Allow for all but us isn't", theUser(), []doc{{"bucket-policy", strings.Replace(grant(aws(user)), "Principal", "NotPrincipal", 1)}}, ImplicitDeny},
		{"a Deny for all but us and our account spares us", theUser(), []doc{{"user-inline", allowPut},
			{"bucket-policy", strings.Replace(refuse(`{"AWS": ["`+user+`", "`+account+`"]}`), "Principal", "NotPrincipal", 1)}}, Allowed},
		{"a Deny for all but us alone is not to be relied on", theUser(), []doc{{"user-inline", allowPut},
			{"bucket-policy", strings.Replace(refuse(aws(user)), "Principal", "NotPrincipal", 1)}}, Unclear},
		{"a Deny for all but another binds us", theUser(), []doc{{"user-inline", allowPut},
			{"bucket-policy", strings.Replace(refuse(aws(user+"0")), "Principal", "NotPrincipal", 1)}}, ExplicitDeny},
		{"a policy of another bucket says nothing", theUser(), []doc{{"bucket-policy arn:aws:s3:::other", grant(`"*"`)}}, ImplicitDeny},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got := Decide(makeSet(t, row.subject, row.docs...), Request{Action: "s3:PutObject", Resource: object})
			if got.Outcome != row.want {
				t.Errorf("got %v, want %v", got.Outcome, row.want)
			}
			if (got.Outcome == ImplicitDeny) != (len(got.Because) == 0) {
				t.Errorf("%v because %v", got.Outcome, got.Because)
			}
		})
	}
}

func TestAFederatedSessionMayBeOfAnyUser(t *testing.T) {
	fed := subjectOf("arn:aws:sts::111122223333:federated-user/vm-01", nil)
	for _, row := range []struct {
		name string
		docs []doc
		want Outcome
	}{
		{"an Allow for a user", []doc{{"bucket-policy", grant(`{"AWS": "` + user + `"}`)}}, Unclear},
		{"… is under the session policy", []doc{{"bucket-policy", grant(`{"AWS": "` + user + `"}`)}, {"session", allowList}}, ImplicitDeny},
		{"an Allow for another account's user", []doc{{"bucket-policy", grant(`{"AWS": "arn:aws:iam::444455556666:user/vm-01"}`)}}, ImplicitDeny},
		{"a Deny for a user", []doc{{"user-inline", allowPut}, {"bucket-policy", refuse(`{"AWS": "` + user + `"}`)}}, Allowed},
		{"an Allow for the session", []doc{{"bucket-policy", grant(`{"AWS": "` + fed.ARN + `"}`)}}, Allowed},
	} {
		if got := Decide(makeSet(t, fed, row.docs...), Request{Action: "s3:PutObject", Resource: object}); got.Outcome != row.want {
			t.Errorf("%s: got %v, want %v", row.name, got.Outcome, row.want)
		}
	}
}

func TestAnUnknownUniqueIDMayBeOurs(t *testing.T) {
	s := theUser()
	s.UniqueID = ""
	grants := makeSet(t, s, doc{"bucket-policy", grant(`{"AWS": "AIDAEXAMPLEEXAMPLE001"}`)})
	if got := Decide(grants, Request{Action: "s3:GetObject", Resource: object}); got.Outcome != Unclear {
		t.Errorf("an Allow: %v", got.Outcome)
	}
	denies := makeSet(t, s, doc{"user-inline", allowPut}, doc{"bucket-policy", refuse(`{"AWS": "AIDAEXAMPLEEXAMPLE001"}`)})
	if got := Decide(denies, Request{Action: "s3:PutObject", Resource: object}); got.Outcome != Allowed {
		t.Errorf("a Deny: %v", got.Outcome)
	}
}

func TestAnotherAccountsBucketNeedsBothSides(t *testing.T) {
	for _, row := range []struct {
		name string
		docs []doc
		want Outcome
	}{
		{"the identity alone", []doc{{"user-inline", allowPut}}, ImplicitDeny},
		{"the bucket alone", []doc{{"bucket-policy", grant(`{"AWS": "` + user + `"}`)}}, ImplicitDeny},
		{"both", []doc{{"user-inline", allowPut}, {"bucket-policy", grant(`{"AWS": "` + user + `"}`)}}, Allowed},
		{"the account suffices", []doc{{"user-inline", allowPut}, {"bucket-policy", grant(`{"AWS": "` + account + `"}`)}}, Allowed},
		{"the boundary limits here", []doc{{"user-inline", allowPut}, {"boundary", allowList}, {"bucket-policy", grant(`{"AWS": "` + user + `"}`)}}, ImplicitDeny},
		{"a Deny of theirs wins", []doc{{"user-inline", allowPut}, {"bucket-policy", grant(`"*"`) + "," + refuse(`"*"`)}}, ExplicitDeny},
	} {
		set := makeSet(t, theUser(), row.docs...)
		set.BucketAccount = other
		if got := Decide(set, Request{Action: "s3:PutObject", Resource: object}); got.Outcome != row.want {
			t.Errorf("%s: got %v, want %v", row.name, got.Outcome, row.want)
		}
	}
}

func TestKeysAndRolesMustAllowThemselves(t *testing.T) {
	key := "arn:aws:kms:eu-west-1:111122223333:key/k"
	statement := func(principal, action string) string {
		return `{"Effect": "Allow", "Principal": {"AWS": "` + principal + `"}, "Action": "` + action + `", "Resource": "*"}`
	}
	trust := func(principal string) string {
		return `{"Effect": "Allow", "Principal": {"AWS": "` + principal + `"}, "Action": "sts:AssumeRole"}`
	}
	identity := doc{"user-inline", allowAll}
	strong := "arn:aws:iam::111122223333:role/strong"
	for _, row := range []struct {
		name string
		docs []doc
		req  Request
		want Outcome
	}{
		{"a key policy that is silent", []doc{identity, {"key-policy " + key, statement(user, "kms:Encrypt")}}, Request{Action: "kms:Decrypt", Resource: key}, ImplicitDeny},
		{"a key policy that names the user", []doc{{"key-policy " + key, statement(user, "kms:*")}}, Request{Action: "kms:Decrypt", Resource: key}, Allowed},
		{"a key policy that delegates", []doc{identity, {"key-policy " + key, statement(account, "kms:*")}}, Request{Action: "kms:Decrypt", Resource: key}, Allowed},
		{"delegation alone", []doc{{"key-policy " + key, statement(account, "kms:*")}}, Request{Action: "kms:Decrypt", Resource: key}, ImplicitDeny},
		{"a key whose policy isn't known", []doc{identity}, Request{Action: "kms:Decrypt", Resource: key}, Allowed},
		{"a trust policy that names the user", []doc{{"trust " + strong, trust(user)}}, Request{Action: "sts:AssumeRole", Resource: strong}, Allowed},
		{"a trust policy that names another", []doc{identity, {"trust " + strong, trust(user + "0")}}, Request{Action: "sts:AssumeRole", Resource: strong}, ImplicitDeny},
		{"a trust policy that delegates", []doc{identity, {"trust " + strong, trust(account)}}, Request{Action: "sts:AssumeRole", Resource: strong}, Allowed},
		{"another role", []doc{{"trust " + strong, trust(user)}}, Request{Action: "sts:AssumeRole", Resource: strong + "er"}, ImplicitDeny},
	} {
		if got := Decide(makeSet(t, theUser(), row.docs...), row.req); got.Outcome != row.want {
			t.Errorf("%s: got %v, want %v", row.name, got.Outcome, row.want)
		}
	}
}

func TestAnAccessPointHasTwoDoors(t *testing.T) {
	point := "arn:aws:s3:eu-west-1:111122223333:accesspoint/door"
	through := Request{Action: "s3:GetObject", Resource: point + "/object/uploads/x", Bucket: slot}
	policyOf := func(effect string) doc {
		return doc{"access-point " + point, `{"Effect": "` + effect + `", "Principal": {"AWS": "` + user + `"}, "Action": "s3:GetObject", "Resource": "` + point + `/object/*"}`}
	}
	blind := through
	blind.Bucket = ""
	for _, row := range []struct {
		name string
		docs []doc
		req  Request
		want Outcome
	}{
		{"an identity policy reaches through", []doc{{"user-inline", allowAll}}, through, Allowed},
		{"one for the bucket's ARN doesn't", []doc{{"user-inline", `{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"}`}}, through, ImplicitDeny},
		{"the bucket's guard holds", []doc{{"user-inline", allowAll}, {"bucket-policy", refuse(`"*"`)}}, through, ExplicitDeny},
		{"of an unknown bucket no guard holds", []doc{{"user-inline", allowAll}, {"bucket-policy", refuse(`"*"`)}}, blind, Allowed},
		{"the access point denies", []doc{{"user-inline", allowAll}, policyOf("Deny")}, through, ExplicitDeny},
		{"the access point alone isn't enough", []doc{policyOf("Allow")}, through, ImplicitDeny},
		{"both policies are", []doc{policyOf("Allow"), {"bucket-policy", grant(`"*"`)}}, through, Allowed},
	} {
		if got := Decide(makeSet(t, theUser(), row.docs...), row.req); got.Outcome != row.want {
			t.Errorf("%s: got %v, want %v", row.name, got.Outcome, row.want)
		}
	}
}

func TestTheRootUser(t *testing.T) {
	root := policy.Subject{Type: policy.Root, ARN: "arn:aws:iam::111122223333:root", Partition: "aws", Account: account}
	closed := doc{"bucket-policy", refuse(`"*"`)}
	for _, row := range []struct {
		docs   []doc
		action string
		want   Outcome
	}{
		{nil, "s3:GetObject", Allowed},
		{[]doc{closed}, "s3:GetObject", ExplicitDeny},
		{[]doc{closed}, "s3:PutBucketPolicy", Allowed},
		{[]doc{{"scp", allowList}}, "s3:GetObject", ImplicitDeny},
	} {
		req := Request{Action: row.action, Resource: slot}
		if got := Decide(makeSet(t, root, row.docs...), req); got.Outcome != row.want {
			t.Errorf("%s: got %v, want %v", row.action, got.Outcome, row.want)
		}
	}
}

func TestTheAnswerNamesTheStatements(t *testing.T) {
	set := makeSet(t, theUser(), doc{"user-inline", allowList + "," + allowPut}, doc{"boundary", allowAll},
		doc{"bucket-policy", refuse(`"*"`)})
	got := Decide(set, Request{Action: "s3:PutObject", Resource: object})
	if want := []policy.Reference{{Source: 2, Statement: 0}}; !slices.Equal(got.Because, want) {
		t.Errorf("denied because %v, want %v", got.Because, want)
	}
	set.Sources = set.Sources[:2]
	got = Decide(set, Request{Action: "s3:PutObject", Resource: object})
	if want := []policy.Reference{{Source: 0, Statement: 1}, {Source: 1, Statement: 0}}; !slices.Equal(got.Because, want) {
		t.Errorf("allowed because %v, want %v", got.Because, want)
	}
}

func TestWhatIsNotUnderstoodMakesTheAnswerUnclearOnlyWhereItMatters(t *testing.T) {
	lenient := func(kind policy.Kind, statement string) policy.Source {
		text := `{"Version": "2012-10-17", "Statement": [` + statement + `]}`
		d, err := policy.Parse("x", []byte(text), policy.ParseOptions{Grammar: judgetest.Grammar(kind), Lenient: true})
		if err != nil {
			t.Fatal(err)
		}
		return policy.Source{Kind: kind, Document: d}
	}
	strange := func(effect, action string) string {
		return fmt.Sprintf(`{"Effect": %q, "Action": %q, "Resource": "*", "Condition": {"StringIs": {"aws:x": "y"}}}`, effect, action)
	}
	for _, row := range []struct {
		name    string
		sources []policy.Source
		want    Outcome
	}{
		{"an Allow that may hold", []policy.Source{lenient("user-inline", strange("Allow", "s3:*"))}, Unclear},
		{"an Allow of another action", []policy.Source{lenient("user-inline", strange("Allow", "s3:Get*"))}, ImplicitDeny},
		{"an Allow beside a clear one", []policy.Source{lenient("user-inline", strange("Allow", "s3:*")+","+allowPut)}, Allowed},
		{"a Deny that may hold", []policy.Source{lenient("user-inline", strange("Deny", "s3:*")+","+allowPut)}, Unclear},
		{"a Deny beside a clear one", []policy.Source{lenient("user-inline", strange("Deny", "s3:*")+","+denyAll)}, ExplicitDeny},
		{"a Deny where nothing allows", []policy.Source{lenient("user-inline", strange("Deny", "s3:*"))}, ImplicitDeny},
		{"a statement without effect", []policy.Source{lenient("user-inline", strange("Maybe", "s3:*"))}, Unclear},
		{"a boundary that may allow", []policy.Source{lenient("user-inline", allowPut), lenient("boundary", strange("Allow", "s3:*"))}, Unclear},
	} {
		set := &policy.Set{Subject: theUser(), Bucket: "slot", Sources: row.sources}
		if got := Decide(set, Request{Action: "s3:PutObject", Resource: object}); got.Outcome != row.want {
			t.Errorf("%s: got %v, want %v", row.name, got.Outcome, row.want)
		}
	}
}

// TestAccessPointsBySecondReading holds requests through an access point to a table
// that is read off the page "Configuring IAM policies for using access points" (S3
// User Guide), for iam-simulate has no notion of them. Rows are the user's own
// policy, columns the access point's and the bucket's.
func TestAccessPointsBySecondReading(t *testing.T) {
	const point = "arn:aws:s3:eu-west-1:111122223333:accesspoint/door"
	on := func(effect, principal, resource, more string) string {
		return `{"Effect": "` + effect + `", "Principal": ` + principal + `, "Action": "s3:GetObject", "Resource": "` + resource + `"` + more + `}`
	}
	me, root := `{"AWS": "`+user+`"}`, `{"AWS": "111122223333"}`
	identities := []string{"", statementOf(`"s3:GetObject"`, slot+"/*"), statementOf(`"s3:GetObject"`, point+"/object/*"), allowAll}
	points := []string{"", on("Allow", me, point+"/object/*", ""), on("Allow", root, point+"/object/*", ""), on("Deny", `"*"`, point+"/object/*", "")}
	buckets := []string{"", on("Allow", `"*"`, slot+"/*", `, "Condition": {"StringEquals": {"s3:DataAccessPointAccount": "111122223333"}}`),
		on("Allow", me, slot+"/*", ""), on("Allow", root, slot+"/*", ""), on("Deny", me, slot+"/*", `, "Condition": {"ArnLike": {"s3:DataAccessPointArn": "`+point+`"}}`)}
	// Of each access point policy, over the bucket policies: A allowed, - not, x denied.
	for i, want := range []string{
		"----x -AA-x ----x xxxxx", // no policy of its own: both others must grant
		"----x -AA-x ----x xxxxx", // one for the bucket's ARN, which isn't what is asked for
		"AAAAx AAAAx AAAAx xxxxx", // one for the access point
		"AAAAx AAAAx AAAAx xxxxx",
	} {
		for j, row := range strings.Fields(want) {
			for k, w := range row {
				var docs []doc
				for _, d := range []doc{{"user-inline", identities[i]}, {"access-point " + point + " " + slot, points[j]}, {"bucket-policy", buckets[k]}} {
					if d[1] != "" {
						docs = append(docs, d)
					}
				}
				got := Decide(makeSet(t, theUser(), docs...), Request{Action: "s3:GetObject", Resource: point + "/object/k", Bucket: slot + "/k"})
				if want := map[rune]Outcome{'A': Allowed, '-': ImplicitDeny, 'x': ExplicitDeny}[w]; got.Outcome != want {
					t.Errorf("identity %d, access point %d, bucket %d: %v, want %v", i, j, k, got.Outcome, want)
				}
			}
		}
	}
}
