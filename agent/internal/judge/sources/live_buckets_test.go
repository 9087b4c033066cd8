package sources

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"buzon/agent/policy"
)

// buckets answers for an account with several buckets: their policies by name; those of
// denied may not be read.
type buckets struct {
	policies map[string]string
	denied   string
	listless bool
}

func (b buckets) meddle(call string, _ int, w http.ResponseWriter, r *http.Request) bool {
	name := strings.Trim(r.URL.Path, "/")
	if host, _, ok := strings.Cut(r.Host, "."); ok && name == "" {
		name = host
	}
	switch {
	case strings.HasPrefix(call, "GET /?"):
		if b.listless {
			refuse(w, "s3:ListBuckets", 403, "AccessDenied")
			return true
		}
		var list strings.Builder
		for _, name := range append(sortedKeys(b.policies), "acme", "plain") {
			list.WriteString("<Bucket><Name>" + name + "</Name><BucketRegion>eu-west-1</BucketRegion></Bucket>")
		}
		_, _ = io.WriteString(w, "<ListAllMyBucketsResult><Owner><ID>"+canonical+"</ID></Owner><Buckets>"+list.String()+"</Buckets></ListAllMyBucketsResult>")
	case call == "s3:GetBucketPolicy" && name == b.denied:
		refuse(w, call, 403, "AccessDenied")
	case call == "s3:GetBucketPolicy" && name == "plain":
		refuse(w, call, 404, "NoSuchBucketPolicy")
	case call == "s3:GetBucketPolicy" && b.policies[name] != "":
		_, _ = io.WriteString(w, b.policies[name])
	default:
		return false
	}
	return true
}

func bucketSays(bucket, effect, principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":` + principal + `,"Action":"s3:GetObject","Resource":"arn:aws:s3:::` + bucket + `/*"}]}`
}

// With --all-buckets every bucket of the account is read, and those count that let in
// somebody of it; what may not be read is told.
func TestAllBuckets(t *testing.T) {
	account := buckets{policies: map[string]string{
		"for-vm":     bucketSays("for-vm", "Allow", `{"AWS":"arn:aws:iam::111122223333:user/buzon/vm-01"}`),
		"for-all":    bucketSays("for-all", "Allow", `"*"`),
		"for-id":     bucketSays("for-id", "Allow", `{"AWS":"AIDAEXAMPLE"}`),
		"for-us":     bucketSays("for-us", "Allow", `{"AWS":"111122223333"}`),
		"for-them":   bucketSays("for-them", "Allow", `{"AWS":"arn:aws:iam::444455556666:root"}`),
		"for-trail":  bucketSays("for-trail", "Allow", `{"Service":"cloudtrail.amazonaws.com"}`),
		"for-nobody": bucketSays("for-nobody", "Deny", `"*"`),
	}}
	load := func(b buckets, all bool) (*Found, []string) {
		t.Helper()
		f := &fakeAccount{answers: soundAccount(), meddle: b.meddle}
		sel := everyone
		sel.AllBuckets = all
		found, err := readFrom(t, f.serve(t), sel)
		if err != nil {
			t.Fatal(err)
		}
		return found, f.seen()
	}
	found, calls := load(account, true)
	s := &found.Subjects[1]
	var read []string
	for _, src := range s.Set.Sources {
		if src.Kind == policy.BucketPolicy {
			read = append(read, strings.TrimPrefix(src.Attached, "arn:aws:s3:::"))
		}
	}
	slices.Sort(read)
	if want := []string{"acme", "for-all", "for-id", "for-us", "for-vm"}; !slices.Equal(read, want) {
		t.Errorf("the policies of %v count, want %v", read, want)
	}
	if !slices.Contains(s.Notes, Note{What: NoteAllBuckets, Source: -1, Name: "9"}) || len(s.Gaps) > 0 {
		t.Errorf("%+v %+v", s.Notes, s.Gaps)
	}
	if !slices.ContainsFunc(calls, func(c string) bool { return strings.HasPrefix(c, "GET /?") }) {
		t.Errorf("the buckets weren't listed: %v", calls)
	}
	if found, calls := load(account, false); len(found.Subjects[1].Set.Sources) != len(s.Set.Sources)-4 || slices.ContainsFunc(calls, func(c string) bool { return strings.HasPrefix(c, "GET /") }) {
		t.Errorf("without the flag too much is read: %v", calls)
	}
	account.denied = "for-vm"
	found, _ = load(account, true)
	if g := gaps(&found.Subjects[1]); !strings.Contains(g, "arn:aws:s3:::for-vm") || found.Subjects[1].Gaps[0].Permission != "s3:GetBucketPolicy" {
		t.Errorf("a policy that may not be read: %s", g)
	}
	account.denied, account.listless = "", true
	found, _ = load(account, true)
	if g := found.Subjects[1].Gaps; len(g) != 1 || g[0].Permission != "s3:ListAllMyBuckets" {
		t.Errorf("a list that may not be read: %+v", g)
	}
}

// permissionsOf are the rights that calls take where they are called otherwise (Service
// Authorization Reference, "Actions, resources, and condition keys for Amazon S3").
var permissionsOf = map[string]string{
	"s3:GetBucketEncryption": "s3:GetEncryptionConfiguration", "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
	"s3:GetPublicAccessBlock account": "s3:GetAccountPublicAccessBlock", "s3:ListBuckets": "s3:ListAllMyBuckets",
}

// free are calls that need no right.
var free = []string{"sts:GetCallerIdentity"}

// The stack's auditor may make every call that an audit makes, and no call without need:
// what it is granted besides is written out here, with what it is for.
func TestTheAuditorMayDoWhatAnAuditDoes(t *testing.T) {
	made := map[string]bool{}
	for _, call := range append(strings.Fields(liveCalls), simulated, "s3:ListBuckets", "iam:GetAccountAuthorizationDetails",
		"iam:GenerateCredentialReport", "iam:GetCredentialReport", "s3:GetPublicAccessBlock", "s3:GetPublicAccessBlock account") {
		if name := permissionsOf[call]; name != "" {
			call = name
		}
		if !slices.Contains(free, call) {
			made[call] = true
		}
	}
	granted := map[string]bool{}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", "..", "..", "infra", "mailbox", "auditor.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if text, _ := strconv.Unquote(literal.Value); !strings.Contains(text, "/") && (strings.HasPrefix(text, "iam:") || strings.HasPrefix(text, "s3:") || strings.HasPrefix(text, "kms:")) {
				granted[text] = true
			}
		}
		return true
	})
	for call := range made {
		if !granted[call] {
			t.Errorf("the auditor may not %s", call)
		}
	}
	for action := range granted {
		if !made[action] {
			t.Errorf("the auditor may %s, which no audit does", action)
		}
	}
}
