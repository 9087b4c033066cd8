package judgetest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"buzon/agent/policy"
)

// Asked is a request; decide.Request(asked) is the same.
type Asked struct {
	Action          string
	Resource        string
	Bucket          string
	ResourceAccount string
	Context         map[string][]string
}

// shapes are the actions of requests with what they act on.
var shapes = []struct{ action, on string }{
	{"s3:PutObject", "object"}, {"s3:PutObject", "object"}, {"s3:PutObject", "object"}, {"s3:GetObject", "object"},
	{"s3:GetObject", "object"}, {"s3:DeleteObject", "object"}, {"s3:PutObjectAcl", "object"},
	{"s3:ListBucket", "bucket"}, {"s3:ListBucket", "bucket"}, {"s3:ListAllMyBuckets", "none"},
	{"sts:AssumeRole", "role"}, {"kms:Decrypt", "key"},
	{"iam:PassRole", "role"}, {"iam:PutRolePolicy", "role"}, {"kms:PutKeyPolicy", "key"}, {"kms:CreateKey", "none"},
	{"sqs:SendMessage", "queue"}, {"s3:PutTomorrow", "edge"},
}

// Request makes a request that the set's documents may care about.
func Request(c Chooser, set *policy.Set) Asked {
	shape := pick(c, shapes...)
	r := Asked{Action: shape.action, Context: make(map[string][]string)}
	switch shape.on {
	case "object":
		r.Resource = bucketID + "/" + pick(c, "p/a", "p/", "a", "P/a", "p/a/x", "p:a/b", "*", "p/b")
		if !chance(c, 40) {
			r.Resource = object(near(c, instance(c, set)))
		}
		if chance(c, 8) {
			_, key, _ := strings.Cut(r.Resource, "/")
			r.Resource = Point + "/object/" + key
			r.Bucket = pick(c, bucketID, bucketID, "")
			if chance(c, 30) {
				r.Resource, r.Bucket = theirPoint+"/object/"+key, ""
			}
		}
	case "bucket":
		r.Resource = pick(c, bucketID, bucketID, bucketID, "arn:aws:s3:::slots", "arn:aws:s3:::slo", "arn:aws:s3:::other")
	case "none":
		r.Resource = "*"
	case "role":
		r.Resource = pick(c, Role, Role, "arn:aws:iam::111122223333:role/other", theirRole)
	case "queue":
		r.Resource = pick(c, Queue, Queue, Queue+"-2", theirQueue)
	case "edge": // of an action that nobody knows
		r.Resource = pick(c, bucketID, bucketID+"/", bucketID+"/p/", bucketID+"/p/a", Point, Point+"/object/p/a", "arn:aws:s3:::other/", Role, "*")
		if strings.HasPrefix(r.Resource, Point+"/") {
			r.Bucket = pick(c, bucketID, "")
		}
	case "key":
		r.Resource = pick(c, Key, Key, "arn:aws:kms:eu-west-1:111122223333:key/k2", theirKey)
	}
	for _, a := range alphabets {
		if strings.HasPrefix(a.key, "aws:Principal") || a.key == "aws:username" || a.key == "aws:ResourceAccount" || a.key == "aws:CurrentTime" ||
			strings.HasPrefix(a.key, "s3:DataAccessPoint") || a.key == "aws:SourceArn" && !chance(c, 5) ||
			a.only != nil && !slices.Contains(a.only, r.Action) || !mentioned(set, a.key) && !chance(c, 5) {
			continue
		}
		if a.key == "aws:TokenIssueTime" && set.Subject.Type != policy.User && r.Context["aws:tokenissuetime"] == nil {
			r.Context["aws:tokenissuetime"] = []string{pick(c, a.values...)} // a session has one
			continue
		}
		values(c, a, &r)
	}
	if r.Context["aws:sourcevpce"] != nil {
		delete(r.Context, "aws:sourceip")
	}
	clock(c, &r)
	return r
}

// values gives a key no value, one, or, where it may, several.
func values(c Chooser, a alphabet, r *Asked) {
	if chance(c, 25) {
		return
	}
	n := 1
	if a.multi {
		n = 1 + c.IntN(3)
	}
	key := strings.ToLower(a.key)
	for range n {
		v := pick(c, append(slices.Clip(a.values), a.more...)...)
		switch {
		case a.tests[0] == policy.IPAddress:
			v, _, _ = strings.Cut(v, "/")
		case slices.Contains(a.tests, policy.StringLike) && chance(c, 30):
			v = near(c, v)
		}
		r.Context[key] = append(r.Context[key], v)
	}
}

// clock sets both keys of the one clock.
func clock(c Chooser, r *Asked) {
	at := Now
	if chance(c, 60) {
		at, _ = policy.ParseDate(pick(c, "2027-01-01", "2027-06-01", "2026-12-31T23:59:59Z", "2027-01-01T00:00:01Z", "2030-01-01"))
	}
	r.Context["aws:currenttime"] = []string{at.Format(time.RFC3339)}
	r.Context["aws:epochtime"] = []string{strconv.FormatInt(at.Unix(), 10)}
}

// mentioned reports whether a document of the set names a key.
func mentioned(set *policy.Set, key string) bool {
	for _, src := range set.Sources {
		for _, st := range src.Document.Statements {
			for _, cond := range st.Conditions {
				if strings.EqualFold(cond.Key, key) {
					return true
				}
			}
			for _, r := range st.Resources {
				if strings.Contains(r.Value, key) {
					return true
				}
			}
		}
	}
	return false
}

// instance makes a text that matches some resource pattern of the set.
func instance(c Chooser, set *policy.Set) string {
	var patterns []string
	for _, src := range set.Sources {
		for _, st := range src.Document.Statements {
			for _, r := range st.Resources {
				if strings.HasPrefix(r.Value, "arn:aws:s3:::") {
					patterns = append(patterns, r.Value)
				}
			}
		}
	}
	if len(patterns) == 0 {
		return bucketID + "/p/a"
	}
	pieces, ok := policy.Pieces(pick(c, patterns...), true)
	if !ok {
		return bucketID + "/a"
	}
	var b strings.Builder
	for _, p := range pieces {
		switch p.Kind {
		case policy.Literal:
			b.WriteString(p.Text)
		case policy.AnyRun:
			b.WriteString(pick(c, "", "a", "slot", "/p/", "x/y", ":"))
		case policy.AnyOne:
			b.WriteString(pick(c, "a", "s", "/", "é"))
		case policy.Variable:
			b.WriteString(pick(c, "a", "p", "*", p.Default, p.Text, set.Subject.Name))
		}
	}
	return b.String()
}

// near is the text itself or a neighbour: a character more, one less, another
// case, another character.
func near(c Chooser, s string) string {
	if s == "" || chance(c, 50) {
		return s
	}
	runes := []rune(s)
	at := len(runes) - 1 - c.IntN(min(len(runes), 6))
	switch c.IntN(5) {
	case 0:
		return s + pick(c, "a", "/", "*")
	case 1:
		return string(slices.Delete(runes, at, at+1))
	case 2:
		if last := string(runes[at]); strings.ToUpper(last) != last {
			return string(runes[:at]) + strings.ToUpper(last) + string(runes[at+1:])
		}
		return string(runes[:at]) + strings.ToLower(string(runes[at])) + string(runes[at+1:])
	case 3:
		return string(runes[:at]) + pick(c, "a", "/", "?", "z") + string(runes[at+1:])
	}
	return string(slices.Insert(runes, at, 'q'))
}

// object makes an object's ARN of what is nearly one.
func object(s string) string {
	rest, ok := strings.CutPrefix(s, "arn:aws:s3:::")
	if !ok {
		return bucketID + "/a"
	}
	name, key, _ := strings.Cut(rest, "/")
	if name == "" || strings.ContainsAny(name, ":*?${}'é, ") {
		name = Bucket
	}
	if key == "" {
		key = "a"
	}
	return "arn:aws:s3:::" + name + "/" + key
}
