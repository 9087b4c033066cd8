package policy

// WriteOnly is the one policy that an uploader gets: s3:PutObject on the
// objects of its prefix, and nothing else. objects is the pattern of their
// ARNs, such as arn:aws:s3:::BUCKET/uploads/vm-01/*.
func WriteOnly(objects string) *Document {
	return &Document{
		Version: "2012-10-17",
		Statements: []Statement{{
			Sid:       "WriteUnderPrefix",
			Effect:    Allow,
			Actions:   texts("s3:PutObject"),
			Resources: texts(objects),
		}},
	}
}

// WriteOnlyWithKey is WriteOnly for a bucket whose objects are encrypted with a
// KMS key: one more statement lets S3, and only S3 on the uploader's behalf,
// make data keys of that key for objects under the prefix. kms:Decrypt is
// there for multipart uploads, whose parts S3 reads again when it joins them
// (S3 API Reference, CompleteMultipartUpload). key is the key's ARN, via the
// name that S3 has in kms:ViaService, such as s3.eu-west-1.amazonaws.com.
//
// It asks for a bucket without a Bucket Key: with one, the encryption context
// is the bucket's ARN and no longer the object's.
func WriteOnlyWithKey(objects, key, via string) *Document {
	doc := WriteOnly(objects)
	doc.Statements = append(doc.Statements, Statement{
		Index:     1,
		Sid:       "EncryptUnderPrefix",
		Effect:    Allow,
		Actions:   texts("kms:Decrypt", "kms:GenerateDataKey"),
		Resources: texts(key),
		Conditions: []Condition{
			{Operator: Operator{Test: StringEquals}, Key: "kms:ViaService", Values: texts(via)},
			{Operator: Operator{Test: StringLike}, Key: "kms:EncryptionContext:aws:s3:arn", Values: texts(objects)},
		},
	})
	return doc
}

// Sealed is a policy with its limits in it: statements that deny whatever it
// doesn't allow. It stands in for a boundary where the principal's one boundary is
// somebody else's, and is weaker: whoever may edit the principal's policy can
// take it away. Conditions of what is allowed are not repeated.
func Sealed(doc *Document) *Document {
	sealed := &Document{Version: doc.Version, Statements: append([]Statement{}, doc.Statements...)}
	deny := func(st Statement) {
		st.Index, st.Effect = len(sealed.Statements), Deny
		sealed.Statements = append(sealed.Statements, st)
	}
	var allowed []Text
	for _, st := range doc.Statements {
		allowed = append(allowed, st.Actions...)
	}
	deny(Statement{Sid: "NothingElse", Actions: allowed, NotAction: true, Resources: texts("*")})
	for _, st := range doc.Statements {
		deny(Statement{Sid: st.Sid + "Alone", Actions: st.Actions, Resources: st.Resources, NotResource: true})
	}
	return sealed
}

func texts(values ...string) []Text {
	all := make([]Text, len(values))
	for i, v := range values {
		all[i].Value = v
	}
	return all
}
