package gate

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"buzon/agent/internal/client"
	"buzon/scripts/aws/versitygw"
	"buzon/scripts/load/s3server"
)

// A second real S3 server, of which only the root key is at hand: it keeps what
// the gate asks of a store, and shows that each power is seen and nothing but
// the canary is left behind.
func TestARealStoreThatIsNotAWS(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	g := versitygw.ForTest(t)
	at(t, s3server.Options{}) // for an environment with nothing of AWS in it
	for _, kv := range g.Env() {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	t.Setenv("AWS_ENDPOINT_URL", "")
	if err := os.Unsetenv("AWS_ENDPOINT_URL"); err != nil {
		t.Fatal(err)
	}
	to := client.Settings{Region: "us-east-1", Endpoint: g.Endpoint, Version: "test"}
	admin, err := client.Load(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.S3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	s := settings()
	s.Owner, s.Expect, s.WarnOverpowered = "", "", true
	gate := New(s, to, nil)
	for pass := range 2 { // the second before a canary that stands
		r := gate.Pass(t.Context(), Full)
		passed(t, r)
		for id, want := range map[ID]Outcome{CheckStore: StoreFit, CheckIdentity: IdentityHidden} {
			if !slices.ContainsFunc(r.Checks, func(c Check) bool { return c.ID == id && c.Outcome == want }) {
				t.Errorf("pass %d: %s is not %s:\n%s", pass, id, want, show(r))
			}
		}
		for _, power := range []string{"s3:GetObject", "s3:ListBucket", "s3:ListAllMyBuckets", "s3:GetBucketPolicy", "s3:PutObject", "s3:DeleteObject"} {
			if !slices.Contains(r.Overpowered, power) {
				t.Errorf("pass %d: %s is not seen:\n%s", pass, power, show(r))
			}
		}
	}
	left, err := admin.S3.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String(bucket)})
	if err != nil {
		t.Fatal(err)
	}
	if len(left.Versions) != 1 || aws.ToString(left.Versions[0].Key) != prefix+".buzon/canary" || aws.ToInt64(left.Versions[0].Size) != 0 {
		t.Errorf("%d versions are left: %+v", len(left.Versions), left.Versions)
	}
}
