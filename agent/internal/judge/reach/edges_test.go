package reach

import (
	"testing"

	"buzon/agent/internal/judge/catalogue"
	"buzon/agent/internal/judge/decide"
)

// TestEdgesOfResources: what lies at the edge of a resource class (a key that is
// empty, an access point's) is the same to both evaluators, so that no witness is
// refused where one is shown.
func TestEdgesOfResources(t *testing.T) {
	const point = "arn:aws:s3:eu-west-1:111122223333:accesspoint/door"
	guard := `{"Effect": "Deny", "Principal": "*", "NotAction": "s3:PutObject", "Resource": ["arn:aws:s3:::slot", "arn:aws:s3:::slot/*"]},
		{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "NotResource": "arn:aws:s3:::slot/uploads/vm-01/*"}`
	broad := func(actions, resource string) doc { return doc{"user-inline", grantOf(actions, resource)} }
	actions := []string{"s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:PutTomorrow", catalogue.Tomorrow("s3")}
	for _, tr := range []struct {
		name string
		docs []doc
		want Kind // of everything outside the prefix
	}{
		{
			name: "all of S3 on the objects, guarded",
			docs: []doc{broad(`"s3:*"`, "arn:aws:s3:::slot/*"), inBucket(guard)},
			want: Nothing,
		},
		{
			name: "every way to write, guarded",
			docs: []doc{broad(`"s3:Put*"`, "arn:aws:s3:::slot/*"), inBucket(guard)},
			want: Nothing,
		},
		{
			name: "one action of tomorrow, denied",
			docs: []doc{broad(`"s3:PutObject", "s3:PutTomorrow"`, "arn:aws:s3:::slot/uploads/vm-01/*"),
				inBucket(`{"Effect": "Deny", "Principal": "*", "Action": "s3:PutTomorrow", "Resource": "arn:aws:s3:::slot/*"}`)},
			want: Nothing,
		},
		{
			name: "the Deny mostCompared the empty key out",
			docs: []doc{broad(`"s3:Put*"`, "arn:aws:s3:::slot/"),
				inBucket(`{"Effect": "Deny", "Principal": "*", "Action": "s3:Put*", "Resource": "arn:aws:s3:::slot/?*"}`)},
			want: Found, // to an action that nobody knows the empty key may be one
		},
		{
			name: "through an access point with a policy",
			docs: []doc{broad(`"s3:*"`, point+"/*"), {"access-point " + point + " arn:aws:s3:::slot",
				`{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["` + point + `", "` + point + `/*"]}`}},
			want: Nothing,
		},
		{
			name: "an access point without a name",
			docs: []doc{broad(`"s3:Put*"`, "arn:aws:s3:eu-west-1:111122223333:accesspoint/")},
			want: Found,
		},
	} {
		t.Run(tr.name, func(t *testing.T) {
			set := makeSet(t, theUser(), tr.docs...)
			a := engine(set).Find(Question{Actions: actions, Resources: Except("arn:aws:s3:::slot/uploads/vm-01/*")})
			if a.Kind != tr.want {
				t.Errorf("%d, want %d: %+v", a.Kind, tr.want, a)
			}
			if a.Kind == Found && replay(set, a.Witness) != decide.Allowed {
				t.Errorf("the witness %+v is refused", a.Witness)
			}
		})
	}
}
