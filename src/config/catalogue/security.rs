//! Broker configurations of TLS, SASL, principals, authorization and delegation tokens.

use crate::config::definition::{Definition, definitions};

pub(super) const SECURITY: &[Definition] = definitions! {
    String "authorizer.class.name" [""]: "A Java class that decides who may do what.";
    Int "connection.failed.authentication.delay.ms" ["100"] at_least(0): "How long the answer to a failed authentication is held back.";
    Long "connections.max.reauth.ms" ["0"]: "Age at which a SASL connection must authenticate again; 0 is never.";
    Long "delegation.token.expiry.check.interval.ms" ["3600000"] at_least(1): "Time between looks for expired delegation tokens.";
    Long "delegation.token.expiry.time.ms" ["86400000"] at_least(1): "How long a delegation token is valid without renewal.";
    Long "delegation.token.max.lifetime.ms" ["604800000"] at_least(1): "How long a delegation token can be renewed.";
    Password "delegation.token.secret.key" []: "The secret that signs delegation tokens.";
    Class "principal.builder.class" ["org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"] per_broker():
        "A Java class that makes principals of connections.";
    Class "sasl.client.callback.handler.class" []: "A Java class that supplies the client side's credentials.";
    List "sasl.enabled.mechanisms" ["GSSAPI"] per_broker(): "SASL mechanisms that are offered.";
    Password "sasl.jaas.config" [] per_broker(): "Credentials and login module, in JAAS's form.";
    String "sasl.kerberos.kinit.cmd" ["/usr/bin/kinit"] per_broker(): "Path of kinit.";
    Long "sasl.kerberos.min.time.before.relogin" ["60000"] per_broker(): "The shortest time between two Kerberos logins.";
    List "sasl.kerberos.principal.to.local.rules" ["DEFAULT"] per_broker():
        "Rules from Kerberos principals to short names, the first match counts.";
    String "sasl.kerberos.service.name" [] per_broker(): "The Kerberos name of the brokers.";
    Double "sasl.kerberos.ticket.renew.jitter" ["0.05"] per_broker(): "Random part of the time to a ticket's renewal.";
    Double "sasl.kerberos.ticket.renew.window.factor" ["0.8"] per_broker(): "Part of a ticket's life after which it is renewed.";
    Class "sasl.login.callback.handler.class" []: "A Java class that supplies the login's credentials.";
    Class "sasl.login.class" []: "A Java class that logs in.";
    Int "sasl.login.connect.timeout.ms" []: "How long a connection to the token's provider may take.";
    Int "sasl.login.read.timeout.ms" []: "How long an answer of the token's provider may take.";
    Short "sasl.login.refresh.buffer.seconds" ["300"] per_broker(): "Time before a token's end by which it is refreshed.";
    Short "sasl.login.refresh.min.period.seconds" ["60"] per_broker(): "The shortest time between two refreshes of a token.";
    Double "sasl.login.refresh.window.factor" ["0.8"] per_broker(): "Part of a token's life after which it is refreshed.";
    Double "sasl.login.refresh.window.jitter" ["0.05"] per_broker(): "Random part of the time to a token's refresh.";
    Long "sasl.login.retry.backoff.max.ms" ["10000"]: "The longest wait between retries to get a token.";
    Long "sasl.login.retry.backoff.ms" ["100"]: "The first wait between retries to get a token.";
    String "sasl.mechanism.controller.protocol" ["GSSAPI"]: "SASL mechanism towards the controller.";
    String "sasl.mechanism.inter.broker.protocol" ["GSSAPI"] per_broker(): "SASL mechanism between brokers.";
    String "sasl.oauthbearer.assertion.algorithm" ["RS256"] one_of_ignoring_case(&["ES256", "RS256"]): "Algorithm that signs an assertion.";
    String "sasl.oauthbearer.assertion.claim.aud" []: "Audience claim of an assertion.";
    Int "sasl.oauthbearer.assertion.claim.exp.seconds" ["300"] between(0, 86400): "Seconds until an assertion expires.";
    String "sasl.oauthbearer.assertion.claim.iss" []: "Issuer claim of an assertion.";
    Boolean "sasl.oauthbearer.assertion.claim.jti.include" ["false"]: "Whether an assertion carries an id of its own.";
    Int "sasl.oauthbearer.assertion.claim.nbf.seconds" ["60"] between(0, 3600): "Seconds by which an assertion is valid before it is made.";
    String "sasl.oauthbearer.assertion.claim.sub" []: "Subject claim of an assertion.";
    String "sasl.oauthbearer.assertion.file" []: "File with a ready assertion.";
    String "sasl.oauthbearer.assertion.private.key.file" []: "File with the key that signs assertions.";
    Password "sasl.oauthbearer.assertion.private.key.passphrase" []: "Passphrase of the key that signs assertions.";
    String "sasl.oauthbearer.assertion.template.file" []: "File with an assertion's fixed claims.";
    String "sasl.oauthbearer.client.credentials.client.id" []: "Client id towards the token's provider.";
    Password "sasl.oauthbearer.client.credentials.client.secret" []: "Client secret towards the token's provider.";
    Int "sasl.oauthbearer.clock.skew.seconds" ["30"]: "Difference of clocks that is forgiven in a token's times.";
    List "sasl.oauthbearer.expected.audience" [""]: "Audiences a token must be for, one of them.";
    String "sasl.oauthbearer.expected.issuer" []: "Issuer a token must be from.";
    Long "sasl.oauthbearer.jwks.endpoint.refresh.ms" ["3600000"]: "Time between refreshes of the keys that verify tokens.";
    Long "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms" ["10000"]:
        "The longest wait between retries to get the keys that verify tokens.";
    Long "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms" ["100"]: "The first wait between retries to get the keys that verify tokens.";
    String "sasl.oauthbearer.jwks.endpoint.url" []: "Where the keys that verify tokens are found.";
    Class "sasl.oauthbearer.jwt.retriever.class" ["org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"]:
        "A Java class that gets tokens.";
    Class "sasl.oauthbearer.jwt.validator.class" ["org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"]:
        "A Java class that verifies tokens.";
    String "sasl.oauthbearer.scope" []: "Scope that a token is asked for.";
    String "sasl.oauthbearer.scope.claim.name" ["scope"]: "The claim that holds a token's scope.";
    String "sasl.oauthbearer.sub.claim.name" ["sub"]: "The claim that holds a token's subject.";
    String "sasl.oauthbearer.token.endpoint.url" []: "Where tokens are found.";
    Class "sasl.server.callback.handler.class" []: "A Java class that checks clients' credentials.";
    Int "sasl.server.max.receive.size" ["524288"]: "The largest SASL message that is accepted before authentication.";
    String "security.inter.broker.protocol" ["PLAINTEXT"] one_of(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]):
        "Security protocol between brokers, where inter.broker.listener.name is not set.";
    String "security.providers" []: "Java classes that provide security algorithms.";
    Boolean "ssl.allow.dn.changes" ["false"]: "Whether a new key store may change the certificate's name.";
    Boolean "ssl.allow.san.changes" ["false"]: "Whether a new key store may change the certificate's other names.";
    List "ssl.cipher.suites" [""] per_broker(): "Cipher suites that are offered; empty: all.";
    String "ssl.client.auth" ["none"] one_of(&["required", "requested", "none"]) per_broker():
        "Whether clients must, may or need not show a certificate.";
    List "ssl.enabled.protocols" ["TLSv1.2,TLSv1.3"] per_broker(): "TLS versions that are offered.";
    String "ssl.endpoint.identification.algorithm" ["https"] per_broker(): "How a server's name is checked against its certificate.";
    Class "ssl.engine.factory.class" [] per_broker(): "A Java class that makes TLS engines.";
    Password "ssl.key.password" [] per_broker(): "Password of the private key.";
    String "ssl.keymanager.algorithm" ["SunX509"] per_broker(): "Algorithm of the key manager.";
    Password "ssl.keystore.certificate.chain" [] per_broker(): "The certificate chain itself, as PEM.";
    Password "ssl.keystore.key" [] per_broker(): "The private key itself, as PEM.";
    String "ssl.keystore.location" [] per_broker(): "The key store: a file with the key and its certificates.";
    Password "ssl.keystore.password" [] per_broker(): "Password of the key store.";
    String "ssl.keystore.type" ["JKS"] per_broker(): "Format of the key store.";
    String "ssl.principal.mapping.rules" ["DEFAULT"]: "Rules from certificates' names to principals, the first match counts.";
    String "ssl.protocol" ["TLSv1.3"] per_broker(): "TLS version that engines are made for.";
    String "ssl.provider" [] per_broker(): "Java provider of TLS.";
    String "ssl.secure.random.implementation" [] per_broker(): "Source of randomness for TLS.";
    String "ssl.trustmanager.algorithm" ["PKIX"] per_broker(): "Algorithm of the trust manager.";
    Password "ssl.truststore.certificates" [] per_broker(): "The trusted certificates themselves, as PEM.";
    String "ssl.truststore.location" [] per_broker(): "The trust store: a file with the trusted certificates.";
    Password "ssl.truststore.password" [] per_broker(): "Password of the trust store.";
    String "ssl.truststore.type" ["JKS"] per_broker(): "Format of the trust store.";
};
