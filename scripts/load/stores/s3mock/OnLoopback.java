import com.adobe.testing.s3mock.S3MockApplication;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.web.embedded.tomcat.TomcatServletWebServerFactory;

/** S3Mock with its plain HTTP port on 127.0.0.1: it has no setting for that. */
public class OnLoopback {
  public static void main(String[] args) {
    new SpringApplicationBuilder(S3MockApplication.class)
        .properties(
            "server.ssl.key-store=classpath:s3mock.jks",
            "server.ssl.key-store-password=password",
            "server.ssl.key-alias=selfsigned",
            "server.ssl.key-password=password")
        .initializers(context -> context.getBeanFactory().addBeanPostProcessor(new Bind()))
        .run(args);
  }

  static class Bind implements BeanPostProcessor {
    @Override
    public Object postProcessAfterInitialization(Object bean, String name) {
      if (bean instanceof TomcatServletWebServerFactory server) {
        server.getAdditionalTomcatConnectors().forEach(c -> c.setProperty("address", "127.0.0.1"));
      }
      return bean;
    }
  }
}
