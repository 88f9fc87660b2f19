# Posterior of the mixed model alone by brms, with normal priors that are wide:   Rscript brms.R > brms_output.txt   (some four minutes)
source("common.R")
from <- proc.time()
other <- brm(alsfrsr ~ 0 + Intercept + time_months + time_months:arm + (time_months | id), data = long, chains = 1, iter = 4000, warmup = 1000,
  prior = c(prior(normal(0, 10), class = b), prior(normal(30, 100), class = b, coef = Intercept), prior(normal(0, 20), class = sigma),
            prior(normal(0, 20), class = sd), prior(lkj(1), class = cor)), seed = 1, refresh = 0, cores = 1)
took("brms, compiling included,", from)
print(summary(other), digits = 5)
d <- as.data.frame(other)
keep("brms", data.frame(intercept = d$b_Intercept, slope = d$b_time_months, "slope:arm" = d[["b_time_months:arm"]], sd_residual = d$sigma,
  "sd:intercept" = d$sd_id__Intercept, "sd:slope" = d$sd_id__time_months, corr = d$cor_id__Intercept__time_months, check.names = FALSE))
