package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"buzon/agent/policy"
	"buzon/scripts/aws/localaws"
)

// gated is a VM whose credentials file holds the key of one user.
type gated struct {
	w    *world
	home string
	env  []string
}

func (w *world) gated(t *testing.T, id, secret string) *gated {
	t.Helper()
	g := &gated{w: w, home: t.TempDir()}
	g.env = append(w.aws.ClientEnv(), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(g.home, "credentials"), "AWS_CONFIG_FILE="+filepath.Join(g.home, "config"))
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", id, secret)
	if err := os.WriteFile(filepath.Join(g.home, "credentials"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return g
}

// check runs `agent check` as that VM.
func (g *gated) check(t *testing.T, lang, bucket, prefix, expect string) (out string, code int) {
	t.Helper()
	config := fmt.Sprintf("bucket: %s\nprefix: %s\nregion: %s\nstate: %s\nidentity:\n  expect: %s\n", bucket, prefix, localaws.Region, filepath.Join(g.home, "state"), expect)
	file := filepath.Join(g.home, "agent.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out, said, code := g.w.runAgent(t, g.env, "check", "--lang", lang, "--log-level", "debug", "--config", file)
	return out + said, code
}

// plainBucket is versioned, without guard.
func (w *world) plainBucket(t *testing.T, name string) string {
	t.Helper()
	if _, err := w.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.s3.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &name,
		VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	return name
}

// may gives a user the write-only policy of a prefix, and permissions more.
func (w *world) may(t *testing.T, user, objects string, more ...string) {
	t.Helper()
	give := func(name, document string) {
		if _, err := w.iam.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &user, PolicyName: &name, PolicyDocument: &document}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := w.iam.DeleteUserPolicy(context.WithoutCancel(t.Context()), &iam.DeleteUserPolicyInput{UserName: &user, PolicyName: &name}); err != nil {
				t.Error(err)
			}
		})
	}
	give("write", string(policy.WriteOnly(objects).JSON()))
	if len(more) > 0 {
		give("more", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["`+strings.Join(more, `","`)+`"],"Resource":"*"}]}`)
	}
}

// The agent of the deployed stack's own uploader: behind boundary and guard it
// passes, twice, the second time before a canary that stands.
func TestTheGatePassesAWriteOnlyKey(t *testing.T) {
	w := open(t)
	id, secret := w.key(t, forAgent)
	arn := "arn:aws:iam::" + localaws.Account + ":user/buzon/" + forAgent
	g := w.gated(t, id, secret)
	for _, lang := range []string{"en", "es"} {
		out, code := g.check(t, lang, w.bucket, "uploads/"+forAgent+"/", arn)
		if code != 0 || strings.Contains(out, "✗") {
			t.Errorf("%s: exit %d\n%s", lang, code, out)
		}
		if strings.Contains(out, secret) || strings.Contains(out, id) {
			t.Errorf("%s: the key is told:\n%s", lang, out)
		}
	}
}

// The same names stand in agent/internal/cli/check_refused_test.go, where the
// small server tells them; here the local AWS does, of a plain user without
// boundary or guard.
func TestTheGateRefuses(t *testing.T) {
	w := bare(t)
	const prefix = "uploads/plain/"
	for i, c := range []struct {
		name   string
		more   []string // permissions beside the write-only policy
		whole  bool     // of the bucket is to be written
		attach string   // a managed policy
		change func(t *testing.T, w *world, user, id string)
		secret string
		id     string
		bucket string
		expect string
		want   [2]string // in English and in Spanish
		passes bool
	}{
		{name: "nothing that is in order", passes: true, want: [2]string{"The gate is passed.", "El control se ha superado."}},
		{name: "unknown key id", id: "AKIAUNKNOWN000000001", want: [2]string{"The key …0001 is not known there", "Allí no se conoce la clave …0001"}},
		{name: "wrong secret", secret: "wrong", want: [2]string{"exists, but its secret is not the right one", "existe, pero su secreto no es el correcto"}},
		{name: "inactive key", change: func(t *testing.T, w *world, user, id string) {
			if _, err := w.iam.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{UserName: &user, AccessKeyId: &id, Status: iamtypes.StatusTypeInactive}); err != nil {
				t.Fatal(err)
			}
		}, want: [2]string{"it was deleted or deactivated", "se eliminó o se desactivó"}},
		{name: "wrong account", expect: "arn:aws:iam::999988887777:user/buzon/plain", want: [2]string{"and 999988887777 is expected", "y se espera 999988887777"}},
		{name: "wrong user", expect: "arn:aws:iam::" + localaws.Account + ":user/buzon/somebody", want: [2]string{"and another is expected", "y se espera otra: "}},
		{name: "missing bucket", bucket: "gate-no-such-bucket", want: [2]string{"There is no bucket gate-no-such-bucket", "No existe el bucket gate-no-such-bucket"}},
		{name: "AmazonS3FullAccess", attach: fullAccess, want: [2]string{"can do more than write: s3:GetObject, ", "puede hacer más que escribir: s3:GetObject, "}},
		{name: "s3:GetObject more", more: []string{"s3:GetObject"}, want: [2]string{"can do more than write: s3:GetObject.", "puede hacer más que escribir: s3:GetObject."}},
		{name: "s3:DeleteObject more", more: []string{"s3:DeleteObject"}, want: [2]string{"can do more than write: s3:DeleteObject.", "puede hacer más que escribir: s3:DeleteObject."}},
		{name: "s3:ListBucket more", more: []string{"s3:ListBucket"}, want: [2]string{"can do more than write: s3:ListBucket.", "puede hacer más que escribir: s3:ListBucket."}},
		{name: "PutObject on the whole bucket", whole: true, want: [2]string{"can do more than write: s3:PutObject outside its prefix.", "puede hacer más que escribir: s3:PutObject fuera de su prefijo."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			user := fmt.Sprintf("plain-%d", i)
			bucket := w.plainBucket(t, "gate-"+user)
			w.user(t, user, "/buzon/", "")
			objects := "arn:aws:s3:::" + bucket + "/" + prefix + "*"
			if c.whole {
				objects = "arn:aws:s3:::" + bucket + "/*"
			}
			w.may(t, user, objects, c.more...)
			if c.attach != "" {
				attach(t, w, user, c.attach)
			}
			id, secret := w.key(t, user)
			if c.change != nil {
				c.change(t, w, user, id)
			}
			if c.id != "" {
				id = c.id
			}
			right := secret
			if c.secret != "" {
				secret = secret[1:] + "x"
			}
			if c.expect == "" {
				c.expect = "arn:aws:iam::" + localaws.Account + ":user/buzon/" + user
			}
			asked := bucket
			if c.bucket != "" {
				asked = c.bucket
			}
			g := w.gated(t, id, secret)
			for l, lang := range []string{"en", "es"} {
				out, code := g.check(t, lang, asked, prefix, c.expect)
				if (code == 0) != c.passes || code != 0 && code != 3 || !strings.Contains(out, c.want[l]) {
					t.Errorf("%s: exit %d, and %q is not said:\n%s", lang, code, c.want[l], out)
				}
				if strings.Contains(out, secret) || strings.Contains(out, right) || strings.Contains(out, id) {
					t.Errorf("%s: the key is told:\n%s", lang, out)
				}
			}
			left, err := w.s3.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &bucket})
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range left.Versions {
				if aws.ToString(v.Key) != prefix+".buzon/canary" {
					t.Errorf("%s was left behind", aws.ToString(v.Key))
				}
			}
			for _, m := range left.DeleteMarkers {
				if aws.ToString(m.Key) != prefix+".buzon/absent" {
					t.Errorf("a delete marker at %s", aws.ToString(m.Key))
				}
				t.Logf("the local AWS makes a delete marker of a delete with If-Match")
			}
		})
	}
}
